# optimum's own environment, which `make bench` uses as well.
.PHONY: test-optimum

test-optimum: package .venv-optimum/installed #: optimum's pipeline on the artifact
	ARTIFACT=$(DIST) .venv-optimum/bin/python -m pytest tests/optimum -m consumers -rP
