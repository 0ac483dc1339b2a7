# Lint, types and tests.
.PHONY: lint test test-slow test-ray

lint: $(VENV)
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
test: lint package
	ARTIFACT=$(DIST) $(PY) -m pytest tests -m "not slow and not ray and not engines and not consumers"
test-slow: package parity-test-split
	ARTIFACT=$(DIST) $(PY) -m pytest tests -m slow
# Ray has an environment of its own; the other tests need none of it.
.venv-ray/installed: requirements-ray.txt
	$(PYTHON) -m venv .venv-ray
	.venv-ray/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-ray.txt
	@touch $@
test-ray: package .venv-ray/installed
	ARTIFACT=$(DIST) .venv-ray/bin/python -m pytest tests/ray -m ray
