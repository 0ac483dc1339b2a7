# Inputs made to break the readers; the graphs under load.
.PHONY: fuzz

# make fuzz [READER="onnx csv …"] [SECONDS=60] [SEED=1]; an input that failed again: READER=onnx INPUT=FILE;
# KEEP=1 adds what reaches new lines to tests/fuzz/corpus; SECONDS=0 counts the lines that are reached.
SECONDS ?= 60
fuzz: .venv-fuzz/installed #: fuzz the readers by coverage: READER=onnx SECONDS=60
	@.venv-fuzz/bin/python -m tests.fuzz $(READER) --seconds $(SECONDS) --seed $(or $(SEED),1) \
	  $(if $(INPUT),--input $(call q,INPUT)) $(if $(KEEP),--keep)

# make stress [BATCHES=10000] [VARIANT=int8]: random batches and odd inputs through every variant.
# make soak [MINUTES=10] [VARIANT=int8]: eight threads share one session.
.PHONY: stress soak
BATCHES ?= 10000
MINUTES ?= 10
stress: package #: random batches and odd input through every variant
	@$(PY) -m verify stress $(DIST) --batches $(BATCHES) $(if $(VARIANT),--variant $(call q,VARIANT)) $(STRESS_OPTIONS)
soak: package #: eight threads on one session; MINUTES=10
	@$(PY) -m verify soak $(DIST) --minutes $(MINUTES) $(if $(VARIANT),--variant $(call q,VARIANT))
