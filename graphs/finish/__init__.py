"""Finish a graph for its readers: simplified, with standard operators, shapes and metadata.

In: a packed graph. Out: a graph that ships, or one that engines without onnxruntime's operators can read.
"""
