# Proofs: of an artifact's every byte, of builds that are interrupted, of what is installed.
.PHONY: verify-artifact bitflips sign test-sign test-kill lock audit

ARTIFACT ?= $(DIST)
N ?= 1000

# make verify-artifact [PUBLIC_KEY=FILE]; a signature needs the environment that `make sign` makes.
verify-artifact: package $(if $(PUBLIC_KEY),.venv-sign/installed)
	@$(if $(PUBLIC_KEY),.venv-sign/bin/python,$(PY)) -m verify artifact $(ARTIFACT) \
	  $(if $(PUBLIC_KEY),--public-key '$(PUBLIC_KEY)')
bitflips: | $(VENV)
	@$(PY) -m verify.proof.bitflips $(ARTIFACT) -n $(N)
# make sign KEY=FILE: an elliptic-curve private key, PEM.
sign: .venv-sign/installed
	@.venv-sign/bin/python -m verify sign $(ARTIFACT) --key '$(KEY)'
test-sign: package .venv-sign/installed
	ARTIFACT=$(DIST) .venv-sign/bin/python -m pytest tests/sign -m sign
# KILLS= and SEED= choose the random moments.
test-kill: $(VENV)
	$(PY) -m pytest tests/test_kill.py -m kill -s
# Pins all that is installed, by hash. --require-hashes refuses what is not listed.
lock: .venv-lock/installed
	@$(PYTHON) -m requirements.pin .venv-lock/bin/uv
# --strict: what could not be looked up has not been audited. A finding that is accepted goes here by its ID,
# with the reason in a comment.
ACCEPTED :=
audit: .venv-audit/installed
	@for listed in requirements*.txt; do echo "  audit    $$listed"; \
	  .venv-audit/bin/pip-audit --strict --require-hashes --disable-pip --progress-spinner off \
	    $(addprefix --ignore-vuln ,$(ACCEPTED)) -r $$listed \
	  || { echo "error: $$listed: not audited clean" >&2; exit 1; }; done
