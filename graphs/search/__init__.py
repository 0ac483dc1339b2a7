"""Search the fastest quantization whose decisions stay within the recipe's flip rate.

In: the packed float32 graph and calibration texts. Out: `quantization.json` and the frontier of candidates.
"""
