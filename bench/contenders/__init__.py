"""The ways to run the pair, and the processes they run in.

In: a recipe, the files of its build, and batches of token ids. Out: the seconds a batch takes, probabilities,
and the process's memory, over the JSON lines of `protocol.py`. `contenders.py` lists who takes part; the
other modules are what one process each runs, or make the files that it needs.
"""
