# Packages for servers, and publishing.
.PHONY: package-format publish test-servers test-triton test-infinity

# make package FORMAT=openvino|infinity|tei|triton|triton-python|qdq|ort|search|webgpu [VARIANT=int8|fp32|guarded]:
# dist/NAME-openvino and so on; for Triton also VARIANT=text.
ifdef FORMAT
package: package-format
endif
package-format: $(RELEASED)
	@$(PY) -m deliver package $(DIST) $(DIST)-$(call q,FORMAT) --format $(call q,FORMAT) $(if $(VARIANT),--variant $(call q,VARIANT))

# What the tests of engines and browsers run, whatever FORMAT= is.
PACKAGED := $(addprefix packaged-,openvino ort qdq search webgpu)
.PHONY: $(PACKAGED)
$(PACKAGED): packaged-%: $(RELEASED)
	@$(PY) -m deliver package $(DIST) $(DIST)-$* --format $*

# make publish REPO=OWNER/NAME [ARTIFACT=FOLDER] [DRY_RUN=1] [OPTIONS=--private]; the token is that of the hub's
# own login.
publish: $(if $(ARTIFACT),| $(VENV),package) ## bring the artifact to the Hugging Face hub: REPO=OWNER/NAME [DRY_RUN=1]
	@$(PY) -m deliver publish $(artifact) $(call q,REPO) $(if $(DRY_RUN),--dry-run) $(OPTIONS)

# Triton's client has an environment of its own: it pins an older protobuf, and its server numpy 1.
TEST_TRITON = ARTIFACT=$(DIST) .venv-triton/bin/python -m pytest tests/servers -rP -m
test-servers: package .venv-triton/installed #: Triton's schema, server and clients
	$(TEST_TRITON) "consumers and not load"
test-triton: package .venv-triton/installed #: Triton under load, ten thousand requests
	$(TEST_TRITON) load
test-infinity: package .venv-infinity/installed #: infinity's server, also under load
	ARTIFACT=$(DIST) $(PY) -m pytest tests/infinity -rP -m consumers
