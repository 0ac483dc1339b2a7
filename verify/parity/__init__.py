"""Compare finished graphs with the reference, and the graph that takes texts with its tokenizer and variant.

In come a build or an artifact and its reference; out go `parity.json` and `text.json`, tables, JUnit XML for
somebody's CI, and an error that names label and text where a tolerance of the recipe is exceeded.
"""
