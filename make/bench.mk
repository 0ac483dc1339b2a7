# Benchmarks against others.
.PHONY: bench bench-recipe bench-guarded bench-profile

# `make bench` runs both encoders, or the one that RECIPE= names. OPTIMUM= does without optimum.
ROUNDS ?= 7
BENCH_TEXTS ?= 64
OPTIMUM ?= .venv-optimum
BENCH_RECIPES := $(call q,RECIPE) $(if $(filter file,$(origin RECIPE)),recipes/bge-small-random)
BENCH := $(BUILD)/bench
BENCH_INPUTS := $(addprefix $(BENCH)/,head.onnx optimum.onnx products/written)

bench: #: torch, the card's way, optimum and this, interleaved; ROUNDS=7 BENCH_TEXTS=64 SHARE=0.15
	@for recipe in $(BENCH_RECIPES); do $(MAKE) --no-print-directory bench-recipe RECIPE="$$recipe" || exit 1; done
bench-recipe: package $(BENCH_INPUTS) $(if $(SHARE),bench-guarded)
	@$(PY) -m bench graphs $(call q,RECIPE) $(BUILD) --rounds $(ROUNDS) --texts $(BENCH_TEXTS) $(if $(SHARE),--share $(SHARE)) $(BENCH_OPTIONS)
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
$(BENCH)/products/written: bench/contenders/bare_products.py | $(VENV)
	@$(PY) -m bench products $(@D)
	@touch $@

# The sources of recipes/bge-small-random.
RANDOM_BGE := build/bge-small-random-source
build/bge-small-random/.exported: $(RANDOM_BGE)/head/model.onnx
$(RANDOM_BGE)/head/model.onnx: bench/contenders/random_encoder.py | $(VENV)
	@$(PY) -m bench random-encoder recipes/bge-small-random $(RANDOM_BGE)

# The tokenizer as a graph and in Rust, microseconds a text.
.PHONY: bench-text
bench-text: $(GRAPHS) #: the tokenizer as a graph beside the Rust one, microseconds a text
	@$(PY) -m bench tokenizer $(call q,RECIPE) $(BUILD)
