"""Hold what all rewrites share: nodes and constants, names, and what is legal between two steps.

In: a model of `onnx_ir`. Out: the same model with nodes found, added, replaced or checked.
"""
