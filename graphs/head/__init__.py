"""Append the classifier head to the encoder's graph, under either contract.

In: a pooled encoder and the head's files. Out: logits, probabilities and predictions, or one output a label.
"""
