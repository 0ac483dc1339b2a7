"""Own the names of nodes that one rewrite makes and another one looks for."""

from __future__ import annotations

# The prefix of what replaces an encoder's layer, by its number.
LAYER = "layer_{}"
# A pooled hidden state, by layer and pooling; and the sum that a mean divides, by layer.
PART = "feature_{}_{}"
MEAN_SUM = "feature_{}_mean_sum_row"
