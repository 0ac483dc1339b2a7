# The front door: `make artifact` builds dist/NAME, `make test` tests, `make help` lists the rest.
RECIPE ?= recipes/minilm-l6-go-emotions
PYTHON ?= python3

# What a user types reaches no shell but in quotes, $(call q,NAME), and no rule: any path is legal, $ included.
TYPED := RECIPE ENCODER HEAD INPUT OUTPUT ARTIFACT OUT REPO KEY PUBLIC_KEY FORMAT
$(foreach v,$(TYPED),$(if $(filter command,$(origin $v)),$(eval override $v := $$(value $v))))
q = '$(subst ','\'',$($(1)))'
space := $() $()

NAME := $(subst |,$(space),$(notdir $(patsubst %/,%,$(subst $(space),|,$(RECIPE)))))
BUILD := build/$(NAME)
DIST := dist/$(NAME)
VENV := .venv/installed
PY := .venv/bin/python

ifeq ($(shell test -f $(call q,RECIPE)/recipe.toml && echo found),)
$(error $(RECIPE)/recipe.toml: no such recipe; RECIPE is a folder with a recipe.toml, as $(patsubst %/,%,$(dir $(wildcard recipes/*/recipe.toml))))
endif
# The folder of the build has the recipe's name, and make has no way to write some characters in a rule.
ifneq ($(strip $(shell printf %s $(call q,NAME) | tr -cd '\001-\052\054\072-\077\133-\135\140\173-\176' | wc -c)),0)
$(error $(RECIPE): the folder's own name, found $(NAME), expected no spaces, quotes or other signs of the shell in it)
endif
# On the make line they replace the recipe's sources: ENCODER=path:FOLDER HEAD=path:FOLDER
ifdef ENCODER
export ENCODER
endif
ifdef HEAD
export HEAD
endif

artifact = $(if $(ARTIFACT),$(call q,ARTIFACT),$(DIST))

# Each stage is one process, alone in build/NAME, and writes its stamp last (core/build/stage.py). It does nothing
# where another make has done the same since this one began.
BEGUN := $(shell date +%s)
EXPORTED := $(BUILD)/.exported
GRAPHS := $(BUILD)/.graphs
VERIFIED := $(BUILD)/.verified
RELEASED := $(DIST)/manifest.json
# It runs again when any code of its own room or of the ground floor has changed, ...
code = $(shell find core $(1) -name __pycache__ -prune -o -type f -print)
# ... or what it reads outside of the build, the recipe included: this touches .inputs, .plan and .data, which
# the stages write.
$(if $(wildcard $(BUILD)/.inputs),$(shell $(PYTHON) -m core.build.inputs $(call q,BUILD) $(call q,RECIPE) $(call q,ENCODER) $(call q,HEAD)))

$(EXPORTED) $(GRAPHS) $(VERIFIED) $(RELEASED): export BUILD_BEGUN = $(BEGUN)

.PHONY: artifact export quantize verify package score evaluate head publish help \
        merge pack simplify reference search features thresholds parity-test-split new clean FORCE
.DELETE_ON_ERROR:
# Stopped by a signal, make would delete it from a folder that is whole.
.PRECIOUS: $(RELEASED)

artifact: package ## build, verify and package a recipe's artifact: dist/NAME
	@$(PY) -m verify summary $(DIST)
export: $(EXPORTED) #: the encoder in ONNX, the head, the reference: build/NAME
quantize: $(GRAPHS) ## the finished graphs, float32 and int8: build/NAME
verify: $(VERIFIED) ## measure the graphs against the original pair
package: $(RELEASED) ## the verified artifact: dist/NAME; FORMAT=triton, tei or openvino for a server or engine

$(VENV): requirements/build.txt
	$(PYTHON) -m requirements.install .venv $<
# Environments of their own: .venv-ray and others.
.venv-%/installed: requirements/%.txt
	$(PYTHON) -m requirements.install $(@D) $<

$(EXPORTED): $(wildcard $(BUILD)/.inputs) $(call code,export) | $(VENV)
	@$(PY) -m export build $(call q,RECIPE) $(BUILD)
# A recipe's own plan of the quantization is replayed; without one, or for other sources, one is searched.
$(GRAPHS): $(EXPORTED) $(wildcard $(BUILD)/.plan) $(call code,graphs)
	@$(PY) -m graphs build $(call q,RECIPE) $(BUILD)
$(VERIFIED): $(GRAPHS) $(wildcard $(BUILD)/.data) $(call code,verify)
	@$(PY) -m verify gate $(call q,RECIPE) $(BUILD)
MEASURED := $(addprefix $(BUILD)/,evaluation.json evaluation.npz bench/bench.json)
$(RELEASED): $(VERIFIED) $(call code,verify) $(wildcard $(MEASURED))
	@$(PY) -m verify release $(call q,RECIPE) $(BUILD) $(DIST)
# The gate removes an evaluation of other data.
$(MEASURED): ;

# Graphs on the way, to look at and to compare with.
merge: $(BUILD)/merged.onnx #: the graph with the head merged: build/NAME/merged.onnx
pack: $(BUILD)/packed.onnx #: the graph without padding: build/NAME/packed.onnx
simplify: $(BUILD)/simplified.onnx #: the simplified graph: build/NAME/simplified.onnx
$(BUILD)/merged.onnx: STEP = merge
$(BUILD)/packed.onnx: STEP = pack
$(BUILD)/simplified.onnx: STEP = simplify
$(BUILD)/merged.onnx $(BUILD)/packed.onnx $(BUILD)/simplified.onnx: $(EXPORTED) $(call code,graphs)
	@$(PY) -m graphs $(STEP) $(call q,RECIPE) $(BUILD)

reference: $(EXPORTED) #: write the recipe's reference.npz, for parity without torch
	cp $(BUILD)/reference.npz $(call q,RECIPE)/reference.npz
search: $(EXPORTED) #: search the recipe's quantization anew, and put it where builds replay it
	@$(PY) -m export calibration $(call q,RECIPE) $(BUILD)
	@$(PY) -m graphs search $(call q,RECIPE) $(BUILD)
	cp $(BUILD)/quantization.json $(call q,RECIPE)/quantization.json
head: $(VENV) ## train a head on the recipe's data with its encoder; OUT=FOLDER
	@$(PY) -m export train $(call q,RECIPE) $(BUILD) $(if $(OUT),--out $(call q,OUT))
features: $(VENV) #: choose the poolings for a recipe's [[features]]; OPTIONS="--parts 9"
	@$(PY) -m export features $(call q,RECIPE) $(BUILD) $(OPTIONS)
evaluate: $(GRAPHS) ## precision, recall and F1 on the recipe's data, beside published ones
	@$(PY) -m verify evaluate $(call q,RECIPE) $(BUILD)
thresholds: $(GRAPHS) #: choose thresholds on dev, compare the ways to; OUT=FILE VARIANT=fp32 OPTIONS=…
	@$(PY) -m verify thresholds $(call q,RECIPE) $(BUILD) $(if $(OUT),--out $(call q,OUT)) $(if $(VARIANT),--variant $(VARIANT)) $(OPTIONS)

$(BUILD)/reference-test.npz: $(EXPORTED)
	@$(PY) -m export reference $(call q,RECIPE) $@ --split test
parity-test-split: $(BUILD)/reference-test.npz package #: parity on all test texts of the recipe's data
	@$(PY) -m verify parity $(DIST) --reference $<

score: | $(VENV) ## label a corpus: INPUT=FILE OUTPUT=FILE [ARTIFACT=dist/NAME] [OPTIONS=…]
	@$(PY) -m score $(artifact) $(call q,INPUT) $(call q,OUTPUT) $(OPTIONS)

new: | $(VENV) #: write recipes/NAME for NAME=NAME HEAD=FOLDER ENCODER=FOLDER
	@$(PY) -m export new 'recipes/$(NAME)' $(OPTIONS)

clean: #: remove build/ and dist/
	rm -rf build dist

help: ## this list
	@echo 'make TARGET [RECIPE=recipes/NAME] [ENCODER=path:FOLDER HEAD=path:FOLDER]'
	@sed -n 's/^\([a-z-]*\):.*## /  \1|/p' $(MAKEFILE_LIST) | awk -F '|' '{ printf "  %-20s%s\n", $$1, $$2 }'
	@echo 'and:'
	@sed -n 's/^\([a-z-]*\):.*#: /  \1|/p' $(MAKEFILE_LIST) | awk -F '|' '{ printf "  %-20s%s\n", $$1, $$2 }'

.DEFAULT:
	@echo "error: no target or file $@; 'make help' lists the targets" >&2; exit 2

include $(sort $(wildcard make/*.mk))
