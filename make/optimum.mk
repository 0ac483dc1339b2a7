# optimum's own environment; `make bench` makes the same one (bench/contenders/optimum.py), and knows it by the same stamp.
.PHONY: test-optimum

test-optimum: package .venv-optimum/installed #: optimum's pipeline on the artifact
	ARTIFACT=$(DIST) .venv-optimum/bin/python -m pytest tests/optimum -m consumers -rP
