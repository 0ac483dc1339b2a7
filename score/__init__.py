"""Score a corpus: run an artifact on every text of it, as fast as one machine or a cluster can.

Comes in: a finished artifact and a corpus of Parquet, CSV, JSON Lines or lines of text. Goes out: the same
rows in the same order, with the labels that the artifact gives each text, in one file that appears whole.
"""

import core  # noqa: F401  an older Python stops here
