"""Measure how `python -m score` does on many texts.

In: a finished artifact and a recipe's data. Out: the figures that docs/bulk.md quotes. `measurements.py` has
them by name, and takes those of its own process; `process.py` starts the command.
"""
