# The front door: `make artifact` builds dist/NAME, `make test` tests, `make help` lists the rest.
RECIPE ?= recipes/minilm-l6-go-emotions
PYTHON ?= python3

# Some shells export one of their own.
ifeq ($(origin HOST),environment)
override HOST :=
endif
# What a user types reaches no shell but in quotes, $(call q,NAME), and no rule: any path of one line is legal,
# $ included.
TYPED := RECIPE ENCODER HEAD INPUT OUTPUT ARTIFACT OUT REPO KEY PUBLIC_KEY FORMAT NAME VARIANT TORCH TORCH_INDEX PORT HOST
define newline


endef
$(foreach v,$(TYPED),$(if $(findstring $(newline),$(value $v)),$(error $v: found a line break, expected one line)))
$(foreach v,$(TYPED),$(if $(filter command environment,$(origin $v)),$(eval override $v := $$(value $v))))
q = '$(subst ','\'',$($(1)))'

VENV := .venv/installed
PY := .venv/bin/python
# An older Python says so, in one sentence.
UNFIT := $(shell said=$$($(PYTHON) -c 'import core' 2>&1) || echo "$$said" | tail -n 1)
ifneq ($(UNFIT),)
$(error $(UNFIT))
endif
# The recipe's name, which is one of folders and of no shell, and what is to be done again whatever the times say.
FRONT := $(shell $(PYTHON) -m core.build.front $(call q,RECIPE) $(call q,ENCODER) $(call q,HEAD) \
  $(if $(filter command,$(origin BUILD)),$(call q,BUILD),'') $(call q,VENV) $(call q,TORCH))
ifeq ($(FRONT),)
$(error $(PYTHON): found no answer of core.build.front)
endif
ifeq ($(firstword $(FRONT)),error:)
$(error $(wordlist 2,999,$(FRONT)))
endif
BUILD := build/$(firstword $(FRONT))
DIST := dist/$(firstword $(FRONT))
again = $(if $(filter $(1),$(wordlist 2,9,$(FRONT))),FORCE)
# On the make line they replace the recipe's sources: ENCODER=path:FOLDER HEAD=path:FOLDER
ifdef ENCODER
export ENCODER
endif
ifdef HEAD
export HEAD
endif
# The build of torch on Linux: TORCH=cpu [TORCH_INDEX=ADDRESS], TORCH=cuda (docs/installing.md)
ifdef TORCH
export TORCH
endif
ifdef TORCH_INDEX
export TORCH_INDEX
endif

artifact = $(if $(ARTIFACT),$(call q,ARTIFACT),$(DIST))

# Each stage is one process, alone in build/NAME, and writes its stamp last (core/build/stage.py). It does nothing
# where another make has done the same since this one began.
BEGUN := $(shell date +%s)
EXPORTED := $(BUILD)/.exported
GRAPHS := $(BUILD)/.graphs
VERIFIED := $(BUILD)/.verified
RELEASED := $(DIST)/manifest.json
# It runs again when what it reads outside of the build has changed: recipe, sources, plan, data, its own code,
# what is installed (core/build/inputs.py).

$(EXPORTED) $(GRAPHS) $(VERIFIED) $(RELEASED): export BUILD_BEGUN = $(BEGUN)

.PHONY: artifact export quantize verify package score evaluate head publish help \
        merge pack simplify reference search margins features figures thresholds parity-test-split new clean FORCE
.DELETE_ON_ERROR:
# Stopped by a signal, make would delete it from a folder that is whole.
.PRECIOUS: $(RELEASED)

artifact: package ## build, verify and package a recipe's artifact: dist/NAME
	@$(PY) -m verify summary $(DIST)
export: $(EXPORTED) #: the encoder in ONNX, the head, the reference: build/NAME
quantize: $(GRAPHS) ## the finished graphs, float32 and int8: build/NAME
verify: $(VERIFIED) ## measure the graphs against the original pair
package: $(RELEASED) ## the verified artifact: dist/NAME; FORMAT=triton, tei or openvino for a server or engine

$(VENV): $(call again,installed)
	$(PYTHON) -m requirements.install .venv requirements/build.txt
# Environments of their own: .venv-ray and others.
.venv-%/installed: requirements/%.txt FORCE
	$(PYTHON) -m requirements.install $(@D) $<

$(EXPORTED): $(call again,inputs) | $(VENV)
	@$(PY) -m export build $(call q,RECIPE) $(BUILD)
# A recipe's own plan of the quantization is replayed; without one, or for other sources, one is searched.
$(GRAPHS): $(EXPORTED) $(call again,plan)
	@$(PY) -m graphs build $(call q,RECIPE) $(BUILD)
$(VERIFIED): $(GRAPHS) $(call again,data)
	@$(PY) -m verify gate $(call q,RECIPE) $(BUILD)
MEASURED := $(addprefix $(BUILD)/,evaluation.json evaluation.npz bench/bench.json)
$(RELEASED): $(VERIFIED) $(wildcard $(MEASURED))
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
$(BUILD)/merged.onnx $(BUILD)/packed.onnx $(BUILD)/simplified.onnx: $(EXPORTED) $(shell find core graphs -name '*.py')
	@$(PY) -m graphs $(STEP) $(call q,RECIPE) $(BUILD)

reference: $(EXPORTED) #: write the recipe's reference.npz, for parity without torch
	cp $(BUILD)/reference.npz $(call q,RECIPE)/reference.npz
search: $(EXPORTED) #: search the recipe's quantization anew, and put it where builds replay it
	@$(PY) -m export calibration $(call q,RECIPE) $(BUILD)
	@$(PY) -m graphs search $(call q,RECIPE) $(BUILD)
margins: $(EXPORTED) #: choose the margins of the recipe's guarded variant anew, and put them into its plan
	@$(PY) -m export calibration $(call q,RECIPE) $(BUILD)
	@$(PY) -m graphs margins $(call q,RECIPE) $(BUILD)
head: $(VENV) ## train a head on the recipe's data with its encoder; OUT=FOLDER
	@$(PY) -m export train $(call q,RECIPE) $(BUILD) $(if $(OUT),--out $(call q,OUT))
features: $(VENV) #: choose the poolings for a recipe's [[features]]; OPTIONS="--parts 9"
	@$(PY) -m export features $(call q,RECIPE) $(BUILD) $(OPTIONS)
evaluate: $(GRAPHS) ## precision, recall and F1 on the recipe's data, beside published ones
	@$(PY) -m verify evaluate $(call q,RECIPE) $(BUILD)
figures: evaluate #: keep F1, and speed after `make bench`, in the recipe, for its releases: figures.json
	@$(PY) -m verify figures $(call q,RECIPE) $(BUILD)
thresholds: $(GRAPHS) #: choose thresholds on dev, compare the ways to; APPLY=1 or OUT=FILE, VARIANT=fp32 OPTIONS=…
	@$(PY) -m verify thresholds $(call q,RECIPE) $(BUILD) $(if $(OUT),--out $(call q,OUT)) $(if $(APPLY),--apply) $(if $(VARIANT),--variant $(call q,VARIANT)) $(OPTIONS)

$(BUILD)/reference-test.npz: $(EXPORTED)
	@$(PY) -m export reference $(call q,RECIPE) $@ --split test
parity-test-split: $(BUILD)/reference-test.npz package #: parity on all test texts of the recipe's data
	@$(PY) -m verify parity $(DIST) --reference $<

score: | $(VENV) ## label a corpus: INPUT=FILE OUTPUT=FILE [ARTIFACT=dist/NAME] [OPTIONS=…]
	@$(PY) -m score $(artifact) $(call q,INPUT) $(call q,OUTPUT) $(OPTIONS)

new: | $(VENV) #: write recipes/NAME for NAME=NAME HEAD=FOLDER ENCODER=FOLDER
	@$(PY) -m export new recipes/$(call q,NAME) $(OPTIONS)

clean: #: remove build/ and dist/
	rm -rf build dist

help: ## this list
	@echo 'make TARGET [RECIPE=recipes/NAME] [ENCODER=path:FOLDER HEAD=path:FOLDER]'
	@echo '  on Linux, to choose the build of torch: TORCH=cpu [TORCH_INDEX=ADDRESS] or TORCH=cuda'
	@sed -n 's/^\([a-z-]*\):.*## /  \1|/p' $(MAKEFILE_LIST) | awk -F '|' '{ printf "  %-20s%s\n", $$1, $$2 }'
	@echo 'and:'
	@sed -n 's/^\([a-z-]*\):.*#: /  \1|/p' $(MAKEFILE_LIST) | awk -F '|' '{ printf "  %-20s%s\n", $$1, $$2 }'

.DEFAULT:
	@echo "error: no target or file $@; 'make help' lists the targets" >&2; exit 2

include $(sort $(wildcard make/*.mk))
