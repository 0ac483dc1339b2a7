# Lint, types and tests.
.PHONY: lint test test-slow test-ray

TEST_PROCESSES ?= 2

lint: $(VENV) #: style, types and the walls between the rooms
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
test: lint package ## lint, types and tests
	ARTIFACT=$(DIST) OMP_NUM_THREADS=1 $(PY) -m pytest tests -n $(TEST_PROCESSES) --dist worksteal -m "not slow and not ray and not engines and not consumers and not kill and not sign"
test-slow: package parity-test-split #: parity on all test texts, two checkouts byte for byte
	ARTIFACT=$(DIST) $(PY) -m pytest tests -m slow
# Ray has an environment of its own; the other tests need none of it.
test-ray: package .venv-ray/installed #: scoring on a local Ray cluster
	ARTIFACT=$(DIST) .venv-ray/bin/python -m pytest tests/ray -m ray
