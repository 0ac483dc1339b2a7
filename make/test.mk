# Lint, types and tests.
.PHONY: lint test test-slow test-ray

TEST_PROCESSES ?= 2

lint: $(VENV)
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
test: lint package
	ARTIFACT=$(DIST) OMP_NUM_THREADS=1 $(PY) -m pytest tests -n $(TEST_PROCESSES) --dist worksteal -m "not slow and not ray and not engines and not consumers and not kill and not sign"
test-slow: package parity-test-split
	ARTIFACT=$(DIST) $(PY) -m pytest tests -m slow
# Ray has an environment of its own; the other tests need none of it.
test-ray: package .venv-ray/installed
	ARTIFACT=$(DIST) .venv-ray/bin/python -m pytest tests/ray -m ray
