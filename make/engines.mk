# The artifact in engines that share no kernel with onnxruntime; an environment of their own.
.PHONY: test-engines

test-engines: package .venv-engines/installed
	@$(PY) -m deliver package $(DIST) '$(DIST)-openvino' --format openvino
	ARTIFACT=$(DIST) .venv-engines/bin/python -m pytest tests/engines -m engines
