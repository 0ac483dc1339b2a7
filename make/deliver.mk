# Packages for servers, and publishing.
.PHONY: package-format publish test-servers

# make package FORMAT=openvino|tei|triton [VARIANT=int8|fp32|guarded]: dist/NAME-openvino, dist/NAME-tei, dist/NAME-triton
ifdef FORMAT
package: package-format
endif
package-format: $(RELEASED)
	@$(PY) -m deliver package $(DIST) $(DIST)-$(call q,FORMAT) --format $(call q,FORMAT) $(if $(VARIANT),--variant $(call q,VARIANT))

# make publish REPO=OWNER/NAME [ARTIFACT=FOLDER] [DRY_RUN=1] [OPTIONS=--private]; the token is that of the hub's
# own login.
publish: $(if $(ARTIFACT),| $(VENV),package) ## bring the artifact to the Hugging Face hub: REPO=OWNER/NAME [DRY_RUN=1]
	@$(PY) -m deliver publish $(artifact) $(call q,REPO) $(if $(DRY_RUN),--dry-run) $(OPTIONS)

# Triton's client has an environment of its own: it pins an older protobuf.
test-servers: package .venv-triton/installed #: Triton's schema and clients
	ARTIFACT=$(DIST) .venv-triton/bin/python -m pytest tests/servers -m consumers
