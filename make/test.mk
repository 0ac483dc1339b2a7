# Lint, types and tests.
.PHONY: lint test test-slow test-coverage test-hostile test-install test-ray

TEST_PROCESSES ?= 2

lint: $(VENV) #: style, types and the walls between the rooms
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
test: lint package ## lint, types and tests
	ARTIFACT=$(DIST) OMP_NUM_THREADS=1 $(PY) -m pytest tests -n $(TEST_PROCESSES) --dist worksteal -m "not slow and not ray and not engines and not consumers and not kill and not sign and not hostile and not install and not serve"
test-coverage: #: the same tests, half as long again; a line a file of what they do not run
	PYTEST_ADDOPTS="--cov --cov-report=term" $(MAKE) --no-print-directory test
test-slow: package parity-test-split #: parity on all test texts, two checkouts byte for byte, and what else takes long
	ARTIFACT=$(DIST) OMP_NUM_THREADS=1 $(PY) -m pytest tests -n $(TEST_PROCESSES) --dist worksteal -m slow
# Hostile encoders, heads, recipes, artifacts and corpora through make and every command; a trace (strace) of
# each file that they touch.
test-hostile: lint #: hostile inputs through make and every command, each file that they touch traced
	OMP_NUM_THREADS=1 $(PY) -m pytest tests/hostile -n $(TEST_PROCESSES) --dist worksteal -m hostile
# From an index on loopback: all packages in each Python that is here, and pip's choice for each that is not.
test-install: $(VENV) #: environments in every Python: PYTHONS="python3.12 python3.13"
	$(if $(PYTHONS),PYTHONS="$(PYTHONS)") $(PY) -m pytest tests/requirements -n $(TEST_PROCESSES) -m install -rs
# Ray has an environment of its own; the other tests need none of it.
test-ray: package .venv-ray/installed #: scoring on a local Ray cluster
	ARTIFACT=$(DIST) .venv-ray/bin/python -m pytest tests/ray -m ray
