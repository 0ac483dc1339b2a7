# The artifact in engines that share no kernel with onnxruntime; an environment of their own.
.PHONY: test-engines

test-engines: package $(PACKAGED) .venv-engines/installed #: OpenVINO, tract and ONNX's reference evaluator
	ARTIFACT=$(DIST) .venv-engines/bin/python -m pytest tests/engines -m engines
