"""Run the contenders in turns, and turn their times into figures.

In: contenders, token ids of texts in their natural order, and a plan. Out: the content of `bench.json`.
`run.py` is the whole run, `rounds.py` one batch size of it and its figures, `sweep.py` the cost of a token by
length and batch size; `floor.py`, `cache_line.py` and `machine.py` say what the machine could do meanwhile.
"""
