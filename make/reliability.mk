# Inputs made to break the readers; the graphs under load.
.PHONY: fuzz

# make fuzz [READER=head|recipe|thresholds|artifact|encoder] [SECONDS=60 | COUNT=20000] [SEED=0] [START=0]
SECONDS ?= 60
fuzz: $(VENV) #: break the readers: READER=head SECONDS=60 or COUNT=… SEED=0
	@$(PY) -m tests.fuzz $(READER) $(if $(COUNT),--count $(COUNT),--seconds $(SECONDS)) \
	  --seed $(or $(SEED),0) --start $(or $(START),0)

# make stress [BATCHES=10000] [VARIANT=int8]: random batches and odd inputs through every variant.
# make soak [MINUTES=10] [VARIANT=int8]: eight threads share one session.
.PHONY: stress soak
BATCHES ?= 10000
MINUTES ?= 10
stress: package #: random batches and odd input through every variant
	@$(PY) -m verify stress $(DIST) --batches $(BATCHES) $(if $(VARIANT),--variant $(call q,VARIANT)) $(STRESS_OPTIONS)
soak: package #: eight threads on one session; MINUTES=10
	@$(PY) -m verify soak $(DIST) --minutes $(MINUTES) $(if $(VARIANT),--variant $(call q,VARIANT))
