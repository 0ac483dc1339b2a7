# The artifact in older and newer onnxruntime, each with the numpy that it needs in an environment of its own.
.PHONY: test-versions test-versions-js

ALL_VERSIONS := $(patsubst requirements/versions/%.txt,%,$(sort $(wildcard requirements/versions/*.txt)))
VERSIONS ?= $(ALL_VERSIONS)
VERSION_TEXTS ?= 60
VERSION_OPTIONS = $(DIST) $(call q,RECIPE) $(BUILD) --texts $(VERSION_TEXTS)

# What onnxruntime imports only to make graphs is not installed.
.venv-versions/%: export PIP_NO_DEPS = 1
test-versions: package $(VERSIONS:%=.venv-versions/%/installed) #: decisions in onnxruntime 1.17 to the newest: VERSIONS="1.17 1.32" VERSION_TEXTS=60
	@$(PY) -m tests.versions $(VERSION_OPTIONS) --versions $(VERSIONS) --forms

# 1.1 GB of packages: each has its libraries for all systems.
JS_VERSIONS := node-1.17 node-1.23 node-1.30 web-1.17 web-1.23 web-1.30
JS_PACKAGES := build/versions-js
$(JS_PACKAGES)/installed: $(addprefix tests/js/versions/,package.json package-lock.json .npmrc)
	@mkdir -p $(@D)
	cp $^ $(@D)
	cd $(@D) && npm ci --loglevel=error
	@touch $@
test-versions-js: package $(JS_PACKAGES)/installed #: the same in three versions each of onnxruntime-node and onnxruntime-web
	@NODE=$(NODE) $(PY) -m tests.versions $(VERSION_OPTIONS) --versions $(JS_VERSIONS) --to javascript.json
