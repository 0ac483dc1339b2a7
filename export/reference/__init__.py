"""Ask the original pair: the torch encoder in float32, then the head as it was published.

In: an encoder, a head, and a fixed list of general texts or the recipe's own. Out: `reference.npz`, which all
graphs are compared with, and `calibration.npz`, the texts that int8's scales are taken from.
"""
