"""Prove a finished artifact: its bytes, its signature, that its files agree with each other, and its parity.

In: the folder of an artifact, and a key where it is signed. Out: lines that say what was checked, or the
first error. numpy, onnxruntime and tokenizers are enough; a signature needs model-signing as well.
"""
