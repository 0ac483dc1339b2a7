# Text in: the tokenizer as a graph, in front of the variant that the recipe's [text] names.
.PHONY: text bench-text

TEXT_VARIANT := $(shell sed -n '/^\[text\]/,/^\[[^t]/s/^variant *= *"\([a-z0-9]*\)".*/\1/p' $(RECIPE)/recipe.toml)
TEXT_SOURCE := $(if $(filter int8,$(TEXT_VARIANT)),$(INT8),$(FP32))

text: $(if $(TEXT_VARIANT),$(BUILD)/text.json)

$(BUILD)/tokenizer.onnx: $(ASSETS) $(wildcard graphs/tokenizer/*.py) graphs/edit/ops.py graphs/packed/layout.py
	@$(PY) -m graphs.tokenizer.build $(BUILD)/assets/tokenizer.json $@
$(BUILD)/model_text.onnx: $(TEXT_SOURCE) $(BUILD)/tokenizer.onnx
	@$(PY) -m graphs text $(RECIPE) $(BUILD) $< $@
$(BUILD)/text.json: $(BUILD)/model_text.onnx verify/parity/text.py verify/parity/text_ids.py verify/parity/hostile_texts.json
	@$(PY) -m verify text $(RECIPE) $(BUILD)
# What the release needs, where the recipe has a [text].
$(DIST)/manifest.json: $(if $(TEXT_VARIANT),$(BUILD)/text.json)

# The tokenizer as a graph and in Rust, microseconds a text.
bench-text: $(BUILD)/tokenizer.onnx
	@$(PY) -m bench.measure.tokenizer_speed $(BUILD)
