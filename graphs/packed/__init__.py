"""Leave padding out: compute everything token-wise on the real tokens of a batch alone.

In: a merged graph on `[b, s, h]`. Out: the same function on `[t, h]`, laid out in rows for attention only.
"""
