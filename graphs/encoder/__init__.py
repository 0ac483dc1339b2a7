"""Rewrite the exported encoder: fused operators, a plain mask, fewer tables, and a pooling at its end.

In: the graph of `torch.onnx.export`. Out: the encoder on `[b, s, h]`, with pooled features as its output.
"""
