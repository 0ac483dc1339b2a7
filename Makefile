# The front door: `make artifact` builds dist/NAME, `make test` tests. See README.md.
RECIPE ?= recipes/minilm-l6-go-emotions
PYTHON ?= python3

NAME := $(notdir $(RECIPE:%/=%))
BUILD := build/$(NAME)
DIST := dist/$(NAME)
VENV := .venv/installed
PY := .venv/bin/python

ifeq ($(wildcard $(RECIPE)/recipe.toml),)
$(error $(RECIPE)/recipe.toml: no such recipe; RECIPE is a folder with a recipe.toml)
endif
# On the make line they replace the recipe's sources: ENCODER=path:FOLDER HEAD=path:FOLDER
ifdef ENCODER
export ENCODER
endif
ifdef HEAD
export HEAD
endif

ASSETS := $(BUILD)/assets/thresholds.json
FP32 := $(BUILD)/model.onnx
INT8 := $(BUILD)/model_quantized.onnx
SHARED := $(shell find core -name "*.py")
GRAPHS := $(shell find graphs -name "*.py") $(SHARED)
# A recipe's own plan is replayed; without one, or for other sources, one is searched.
PLAN := $(or $(if $(ENCODER)$(HEAD),,$(wildcard $(RECIPE)/quantization.json)),$(BUILD)/quantization.json)
# Graphs that the recipe asks for; a recipe may leave a variant out.
VARIANTS := $(if $(shell grep '^\[variants\.fp32\]' $(RECIPE)/recipe.toml),$(FP32)) \
            $(if $(shell grep '^\[variants\.int8\]' $(RECIPE)/recipe.toml),$(INT8))

# One make at a time in build/NAME: it starts again under a lock that it and its children hold.
LOCK := $(BUILD)/.lock
UNLOCKED := audit bitflips clean lint lock score sign
GOALS := $(or $(MAKECMDGOALS),artifact)
# Of -n and -q, which write nothing.
DRY := $(foreach flag,n q,$(findstring $(flag),$(filter-out ---%,$(firstword -$(MAKEFLAGS)))))
ifeq ($(strip $(DRY) $(filter $(LOCK),$(HELD)) $(if $(filter-out $(UNLOCKED),$(GOALS)),,unlocked)),)
.PHONY: $(GOALS) locked
$(GOALS): locked ; @:
locked:
	+@$(PYTHON) -m core.disk.lock $(LOCK) $(MAKE) --no-print-directory HELD=$(LOCK) $(GOALS)
else

.PHONY: artifact export reference merge pack simplify quantize search verify package head features evaluate \
        thresholds parity-test-split score clean FORCE
.DELETE_ON_ERROR:
# Stopped by a signal, make would delete it from a folder that is whole.
.PRECIOUS: $(DIST)/manifest.json

artifact: package
	@$(PY) -m verify summary $(DIST)
export: $(BUILD)/encoder.onnx $(BUILD)/head.json $(ASSETS) $(BUILD)/reference.npz
merge: $(BUILD)/merged.onnx
pack: $(BUILD)/packed.onnx
simplify: $(BUILD)/simplified.onnx
quantize: $(INT8)
verify: $(BUILD)/parity.json
package: $(DIST)/manifest.json

$(VENV): requirements.txt
	$(PYTHON) -m requirements.install .venv $<
# Environments of their own: .venv-ray and others.
.venv-%/installed: requirements-%.txt
	$(PYTHON) -m requirements.install $(@D) $<

# Changes only when ENCODER= or HEAD= do.
$(BUILD)/overrides: FORCE
	@mkdir -p $(@D)
	@echo '$(ENCODER) $(HEAD)' | cmp -s - $@ || echo '$(ENCODER) $(HEAD)' > $@

# Rules of `python -m export`: the files of the sources, which only it knows.
-include $(BUILD)/encoder.onnx.d $(BUILD)/head.json.d

$(BUILD)/encoder.onnx: $(RECIPE)/recipe.toml $(wildcard $(RECIPE)/recipe.lock.toml) $(BUILD)/overrides $(SHARED) \
                       $(wildcard export/encoder/*.py export/sources/*.py) | $(VENV)
	@$(PY) -m export encoder $(RECIPE) $(BUILD)
$(BUILD)/head.json: $(BUILD)/encoder.onnx $(wildcard export/head/*.py)
	@$(PY) -m export head $(RECIPE) $(BUILD)
$(ASSETS): $(BUILD)/head.json $(wildcard export/encoder/*.py)
	@$(PY) -m export assets $(RECIPE) $(BUILD)
$(BUILD)/reference.npz: $(BUILD)/head.json $(wildcard export/reference/*)
	@$(PY) -m export reference $(RECIPE) $@
$(BUILD)/merged.onnx: $(BUILD)/encoder.onnx $(BUILD)/head.json $(GRAPHS)
	@$(PY) -m graphs merge $(RECIPE) $(BUILD) $< $@
$(BUILD)/packed.onnx: $(BUILD)/merged.onnx
	@$(PY) -m graphs pack $(RECIPE) $(BUILD) $< $@
$(BUILD)/simplified.onnx: $(BUILD)/packed.onnx
	@$(PY) -m graphs simplify $(RECIPE) $(BUILD) $< $@
$(FP32): $(BUILD)/simplified.onnx
	@$(PY) -m graphs fp32 $(RECIPE) $(BUILD) $< $@
$(BUILD)/calibration.npz: $(BUILD)/encoder.onnx $(wildcard export/reference/*)
	@$(PY) -m export calibration $(RECIPE) $(BUILD)
$(BUILD)/quantization.json: $(BUILD)/simplified.onnx $(BUILD)/calibration.npz
	@$(PY) -m graphs.search.search $(RECIPE) $(BUILD)
$(INT8): $(BUILD)/simplified.onnx $(PLAN)
	@$(PY) -m graphs int8 $(RECIPE) $(BUILD) $< $@ --plan $(PLAN)
$(BUILD)/parity.json: $(VARIANTS) $(ASSETS) $(BUILD)/reference.npz $(wildcard verify/parity/*)
	@$(PY) -m verify gate $(RECIPE) $(BUILD)
$(DIST)/manifest.json: $(BUILD)/parity.json $(ASSETS) $(wildcard $(BUILD)/evaluation.* $(BUILD)/bench/bench.json) $(wildcard verify/report/*.py verify/report/templates/*)
	@$(PY) -m verify release $(RECIPE) $(BUILD) $(DIST)

# Makes the committed reference of a recipe, for parity without torch.
reference: $(BUILD)/reference.npz
	cp $< $(RECIPE)/reference.npz
# Searches the recipe's quantization anew, and puts it where builds replay it.
search: $(BUILD)/simplified.onnx $(BUILD)/calibration.npz
	@$(PY) -m graphs.search.search $(RECIPE) $(BUILD)
	cp $(BUILD)/quantization.json $(RECIPE)/quantization.json
head: $(VENV)
	@$(PY) -m export train $(RECIPE) $(BUILD) $(if $(OUT),--out $(OUT))
# Chooses the poolings for a recipe's [[features]]; OPTIONS= are those of `python -m export features --help`.
features: $(VENV)
	@$(PY) -m export features $(RECIPE) $(BUILD) $(OPTIONS)
evaluate: $(VARIANTS) $(ASSETS)
	@$(PY) -m verify evaluate $(RECIPE) $(BUILD)
# OPTIONS= are those of `python -m verify thresholds --help`.
thresholds: $(VARIANTS) $(ASSETS)
	@$(PY) -m verify thresholds $(RECIPE) $(BUILD) $(if $(OUT),--out $(OUT)) $(if $(VARIANT),--variant $(VARIANT)) $(OPTIONS)

$(BUILD)/reference-test.npz: $(BUILD)/reference.npz
	@$(PY) -m export reference $(RECIPE) $@ --split test
parity-test-split: $(BUILD)/reference-test.npz package
	@$(PY) -m verify parity $(DIST) --reference $<

# make score INPUT=… OUTPUT=… [ARTIFACT=…]; OPTIONS= are those of `python -m score --help`.
score: | $(VENV)
	@$(PY) -m score $(or $(ARTIFACT),$(DIST)) '$(INPUT)' '$(OUTPUT)' $(OPTIONS)

clean:
	rm -rf build dist

include $(sort $(wildcard make/*.mk))

endif
