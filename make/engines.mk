# The artifact in engines that share no kernel with onnxruntime; an environment of their own.
.PHONY: test-engines packages-for-engines

# What `make package FORMAT=…` writes, of each format that they run.
ENGINE_FORMATS := openvino qdq webgpu ort search
packages-for-engines: $(RELEASED)
	@for format in $(ENGINE_FORMATS); do $(PY) -m deliver package $(DIST) $(DIST)-$$format --format $$format || exit; done
test-engines: package packages-for-engines .venv-engines/installed #: OpenVINO, tract and ONNX's reference evaluator
	ARTIFACT=$(DIST) .venv-engines/bin/python -m pytest tests/engines -m engines
