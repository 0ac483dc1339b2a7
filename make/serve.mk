# Answering over HTTP, in an environment of its own.
.PHONY: serve test-serve

# make serve [RECIPE=…|ARTIFACT=FOLDER] [VARIANT=int8|guarded|fp32] [PORT=8080] [HOST=127.0.0.1] [OPTIONS=…]
serve: $(if $(ARTIFACT),,package) .venv-serve/installed #: labels texts over HTTP until it is stopped: [PORT=8080]
	@.venv-serve/bin/python -m deliver.server $(artifact) $(if $(VARIANT),--variant $(call q,VARIANT)) $(if $(PORT),--port $(call q,PORT)) $(if $(HOST),--host $(call q,HOST)) $(OPTIONS)
test-serve: package .venv-serve/installed #: the server of make serve: answers, load, errors and stops
	ARTIFACT=$(DIST) .venv-serve/bin/python -m pytest tests/serve -m serve -s
