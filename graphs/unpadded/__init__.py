"""Answer batches without padding by a branch of their own, which computes no layout.

In: a packed graph, float32 or int8. Out: an `If` of two branches on the same weights.
"""
