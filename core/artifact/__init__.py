"""A finished artifact as its readers see it: manifest, proof of bytes, graph, metadata and tokenizer.

In: the folder of an artifact, which may come from anybody. Out: its checked manifest and metadata, token
ids of texts, and a graph's answers to them. What the build writes into an artifact (the manifest, the
metadata of a graph) is made here as well, beside what reads it.
"""
