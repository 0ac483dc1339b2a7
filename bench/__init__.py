"""Measure this project's graphs and its scorer against the ways in which people run the same pair.

In: a finished build (`build/NAME`, for `graphs`), or a finished artifact (`dist/NAME`, for `bulk`), and
the recipe's data. Out: `build/NAME/bench` with `bench.json`, `bench.md` and two plots; `bulk` prints JSON. A
*contender* is one way to run the pair, in a process of its own. In a *round* every contender has one *turn*,
one after the other and always on the same texts, so that ratios are taken between neighbours in time. Start
reading at `__main__.py`, then `measure/run.py`. Nothing here is in the wheel.
"""

import core  # noqa: F401  an older Python stops here
