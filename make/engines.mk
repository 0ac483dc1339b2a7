# The artifact in engines that share no kernel with onnxruntime; an environment of their own.
.PHONY: test-engines

.venv-engines/installed: requirements-engines.txt
	$(PYTHON) -m venv .venv-engines
	.venv-engines/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-engines.txt
	@touch $@
test-engines: package .venv-engines/installed
	ARTIFACT=$(DIST) .venv-engines/bin/python -m pytest tests/engines -m engines
