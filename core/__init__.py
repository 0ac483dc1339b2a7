"""Hold what every room stands on: contract, recipes, errors, and files that are safe to read.

In: files that a user, the hub or an earlier stage made. Out: checked values, opened graphs and their answers,
and files that are written whole or not at all. Nothing of the other rooms is imported here, and no library
that builds: an artifact's readers need numpy, onnxruntime and tokenizers alone.
"""
