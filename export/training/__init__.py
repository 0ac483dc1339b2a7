"""Train the classifier head of a recipe whose head is this project's own, and choose what it reads.

In come an encoder and the recipe's data (train and dev, nothing of test); out go a `model.onnx` in the
published format and its `thresholds.json`, or a recipe's `[[features]]` tables.
"""
