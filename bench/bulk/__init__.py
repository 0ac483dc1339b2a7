"""Measure how `python -m score` does on many texts.

In: a finished artifact and GoEmotions. Out: the figures that docs/bulk.md quotes. `local.py` measures in this
process, `process.py` starts the command, `ray_cluster.py` simulates a cluster; `measurements.py` says which
is which.
"""
