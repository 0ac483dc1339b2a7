# optimum's own environment; `make bench` makes the same one (graphs/peer.py), and knows it by the same stamp.
.PHONY: test-optimum

.venv-optimum/installed: requirements-optimum.txt
	$(PYTHON) -m venv --clear .venv-optimum
	.venv-optimum/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@cp $< $@
test-optimum: package .venv-optimum/installed
	ARTIFACT=$(DIST) .venv-optimum/bin/python -m pytest tests/optimum -m consumers -rP
