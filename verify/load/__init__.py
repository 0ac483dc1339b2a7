"""Put a finished artifact under load: random batches, what must be refused, many threads for minutes.

In comes an artifact; out goes a line of figures a variant, or an error that names what was wrong first.
"""
