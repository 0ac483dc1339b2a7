"""Ask the original pair: the torch encoder in float32, then the head as it was published.

In: an encoder, a head, and a fixed list of texts or GoEmotions. Out: `reference.npz`, which every graph is
compared with, and `calibration.npz`, the texts that int8's scales are taken from.
"""
