"""A recipe's own data: texts with their labels, in splits.

In: the table `[data]` of a recipe, and the files that it names, wherever they are. Out: texts and labels of a
split, checked, as training, calibration, parity and evaluation read them.
"""
