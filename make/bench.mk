# Benchmarks against others.
.PHONY: bench bench-recipe bench-guarded bench-profile

# `make bench` runs both encoders, or the one that RECIPE= names. OPTIMUM= does without optimum.
ROUNDS ?= 7
BENCH_TEXTS ?= 64
OPTIMUM ?= .venv-optimum
BENCH_RECIPES := $(call q,RECIPE) $(if $(filter file,$(origin RECIPE)),recipes/bge-small-random)
BENCH := $(BUILD)/bench
BENCH_INPUTS := $(addprefix $(BENCH)/,head.onnx optimum.onnx products/written)

# Models that people would pick, by their shapes, with random weights: PEERS="minilmv2-l6 roberta-base".
PEERS ?=
# OpenVINO with NNCF's int8, on the same encoder and head: NNCF=1.
NNCF ?=
PEER_BUILDS := $(PEERS:%=build/peers/%)

bench: #: torch, the card's way, optimum and this, interleaved; ROUNDS=7 BENCH_TEXTS=64 SHARE=0.15 NNCF=1 PEERS="minilmv2-l6 roberta-base"
	@for recipe in $(BENCH_RECIPES); do $(MAKE) --no-print-directory bench-recipe RECIPE="$$recipe" || exit 1; done
bench-recipe: package $(BENCH_INPUTS) $(if $(SHARE),bench-guarded) $(PEER_BUILDS:%=%/bench/optimum.onnx) \
  $(if $(NNCF),$(BENCH)/nncf.xml)
	@$(PY) -m bench graphs $(call q,RECIPE) $(BUILD) --rounds $(ROUNDS) --texts $(BENCH_TEXTS) $(if $(SHARE),--share $(SHARE)) \
	  $(if $(PEERS),--peers $(PEER_BUILDS)) $(if $(NNCF),--nncf .venv-nncf/bin/python) $(BENCH_OPTIONS)
# The share of texts that `guarded` asks twice; without it the recipe's own margins decide.
bench-guarded: package $(BUILD)/simplified.onnx
	@$(PY) -m bench guarded $(call q,RECIPE) $(BUILD) --share $(SHARE)

bench-profile: $(GRAPHS) #: where a graph's time goes, by kind of work; BENCH_OPTIONS="--variant fp32"
	@$(PY) -m bench profile $(call q,RECIPE) $(BUILD) $(BENCH_OPTIONS)

$(BENCH)/head.onnx: $(EXPORTED)
	@$(PY) -m bench published-head $(call q,RECIPE) $@
# Where optimum cannot be installed, `python -m bench optimum` does without it, and the report says so.
$(BENCH)/optimum.onnx: $(BUILD)/merged.onnx requirements/optimum.txt
	-@$(if $(OPTIMUM),$(MAKE) --no-print-directory $(OPTIMUM)/installed)
	@$(PY) -m bench optimum $< $@ --venv "$(OPTIMUM)"
$(BENCH)/nncf.xml: $(BUILD)/merged.onnx $(GRAPHS) | .venv-nncf/installed
	@$(PY) -m bench nncf $(call q,RECIPE) $(BUILD) .venv-nncf/bin/python
$(BENCH)/products/written: bench/contenders/bare_products.py | $(VENV)
	@$(PY) -m bench products $(@D)
	@touch $@

# The sources of recipes/bge-small-random.
RANDOM_BGE := build/bge-small-random-source
build/bge-small-random/.exported: $(RANDOM_BGE)/head/model.onnx
$(RANDOM_BGE)/head/model.onnx: bench/contenders/random_encoder.py | $(VENV)
	@$(PY) -m bench random-encoder recipes/bge-small-random $(RANDOM_BGE)
# A peer is built as far as its dynamic int8, in the place of that recipe's encoder and head.
build/peers/%/bench/optimum.onnx: bench/contenders/random_encoder.py | $(VENV)
	@$(PY) -m bench random-encoder recipes/bge-small-random build/peers/$*-source --shape $*
	@$(MAKE) --no-print-directory $@ RECIPE=recipes/bge-small-random BUILD=build/peers/$* \
	  ENCODER=path:build/peers/$*-source/encoder HEAD=path:build/peers/$*-source/head

# The tokenizer as a graph and in Rust, microseconds a text.
.PHONY: bench-text
bench-text: $(GRAPHS) #: the tokenizer as a graph beside the Rust one, microseconds a text
	@$(PY) -m bench tokenizer $(call q,RECIPE) $(BUILD)
