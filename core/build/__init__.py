"""Hold the files that the stages of a build hand over to each other, writer beside reader.

In: what one stage knows (the encoder's and the head's facts, the reference, the int8 plan). Out: the same,
read back and checked by the next.
"""
