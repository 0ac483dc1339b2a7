# Proofs: of an artifact's every byte, of builds that are interrupted, of what is installed.
.PHONY: verify-artifact bitflips sign test-sign test-kill test-kill-score lock audit

N ?= 1000

# make verify-artifact [PUBLIC_KEY=FILE] [ARTIFACT=FOLDER]; a signature needs the environment that `make sign` makes.
verify-artifact: $(if $(ARTIFACT),| $(VENV),package) $(if $(PUBLIC_KEY),.venv-sign/installed) #: prove dist/NAME byte by byte, and against its reference
	@$(if $(PUBLIC_KEY),.venv-sign/bin/python,$(PY)) -m verify artifact $(artifact) \
	  $(if $(PUBLIC_KEY),--public-key $(call q,PUBLIC_KEY))
bitflips: | $(VENV) #: flip N=1000 single bits of a copy, and count those that are noticed
	@$(PY) -m tests.fuzz.bitflips $(artifact) -n $(N)
# make sign KEY=FILE [ARTIFACT=FOLDER]: an elliptic-curve private key, PEM.
sign: $(if $(KEY),.venv-sign/installed) #: sign the artifact: KEY=FILE
	@$(if $(KEY),,$(error make sign KEY=FILE: name a private key; none was given))
	@.venv-sign/bin/python -m verify sign $(artifact) --key $(call q,KEY)
test-sign: package .venv-sign/installed #: signatures
	ARTIFACT=$(DIST) .venv-sign/bin/python -m pytest tests/sign -m sign
# KILLS= and SEED= choose the random moments.
test-kill: $(VENV) #: builds that are killed, starved and shut out
	$(PY) -m pytest tests/test_kill.py -m kill -s
# KILLS=, and ROWS= of long texts, which must take more than a minute.
test-kill-score: package #: scoring long texts, killed at random moments: KILLS=10 ROWS=2000
	ARTIFACT=$(DIST) $(PY) -m pytest tests/score/test_long_kills.py -m kill -s
# Pins all that is installed, by hash. --require-hashes refuses what is not listed.
lock: .venv-lock/installed #: pin all that is installed, by hash
	@$(PYTHON) -m requirements.pin .venv-lock/bin/uv
# What could not be looked up has not been audited. A finding that is accepted goes here by its ID, with the reason
# in a comment.
ACCEPTED :=
PIP_AUDIT := .venv-audit/bin/pip-audit
audit: $(if $(filter file,$(origin PIP_AUDIT)),.venv-audit/installed) #: look the pins up in the advisories
	@$(PYTHON) -m requirements.audit $(PIP_AUDIT) $(addprefix --accept ,$(ACCEPTED)) $(sort $(wildcard requirements/*.txt))
