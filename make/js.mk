# JavaScript: decisions in Node, and the page. The tests install what they need from package-lock.json.
.PHONY: test-js web test-web bench-web lint-js

NODE ?= node
WEB := $(DIST)-web
MODULES := node_modules/.installed
OTHER := $(BUILD)/js/other
JS_TEST = ARTIFACT=$(DIST) EXPECTED=$(BUILD)/js/expected.json PAGE=$(WEB) OTHER=$(OTHER)-web $(NODE) --test --test-concurrency=1

$(MODULES): package.json package-lock.json .npmrc
	npm ci --loglevel=error
	@touch $@
# Always anew: the data set may have come since.
$(BUILD)/js/expected.json: package FORCE
	@$(PY) -m tests.js.expected $(DIST) $(call q,RECIPE) $(BUILD)

# A page to try the artifact, static files in dist/NAME-web.
web: $(WEB)/index.html #: a page that runs the artifact in the browser: dist/NAME-web
$(WEB)/index.html: $(RELEASED) $(MODULES) $(wildcard web/*.* web/src/*.* web/src/style/*.css)
	@$(NODE) web/build.mjs $(DIST) $(WEB)
	@du -sh $(WEB)

lint-js: $(MODULES)
	node_modules/.bin/biome check --error-on-warnings
test-js: lint-js $(BUILD)/js/expected.json packaged-webgpu #: Node against Python, and the lint of all JavaScript
	$(JS_TEST) tests/js/*.test.mjs
# Debian's Chromium, where it is missing and can be installed; CHROMIUM= names another.
test-web: web $(BUILD)/js/expected.json packaged-webgpu #: the page and WebAssembly in Chromium
	@tests/js/chromium.sh
	@$(PY) -m tests.js.other $(DIST) $(OTHER)
	@$(NODE) web/build.mjs $(OTHER) $(OTHER)-web
	$(JS_TEST) tests/js/browser/*.test.mjs
bench-web: web #: the page's times in Chromium
	@tests/js/chromium.sh
	@$(NODE) tests/js/browser/measure.mjs $(WEB)
