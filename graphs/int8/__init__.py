"""Quantize a packed graph to int8 with constant scales, as a plan says.

In: a packed float32 graph, and a plan or texts to calibrate on. Out: int8 products, or calibrated ranges.
"""
