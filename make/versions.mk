# The artifact in older and newer onnxruntime, each with the numpy that it needs in an environment of its own.
.PHONY: test-versions

ALL_VERSIONS := $(patsubst requirements/versions/%.txt,%,$(sort $(wildcard requirements/versions/*.txt)))
VERSIONS ?= $(ALL_VERSIONS)
VERSION_TEXTS ?= 60

# What onnxruntime imports only to make graphs is not installed.
.venv-versions/%: export PIP_NO_DEPS = 1
test-versions: package $(VERSIONS:%=.venv-versions/%/installed) #: decisions in onnxruntime 1.17 to the newest: VERSIONS="1.17 1.32" VERSION_TEXTS=60
	@$(PY) -m tests.versions $(DIST) $(call q,RECIPE) $(BUILD) --versions $(VERSIONS) --texts $(VERSION_TEXTS)
