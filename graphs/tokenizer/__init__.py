"""Rebuild a BERT tokenizer as a graph, to put in front of a finished one.

In: `tokenizer.json`. Out: nodes from texts to `input_ids` and `attention_mask`, exact for all of Unicode.
"""
