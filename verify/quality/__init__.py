"""Measure a build's graphs on the recipe's data, and choose thresholds for them.

In come the finished graphs of a build and the data set; out go `evaluation.json` and `evaluation.npz`
(precision, recall and F1 beside the published card's, and the probabilities), a `thresholds.json`, and the
curves that the report draws.
"""
