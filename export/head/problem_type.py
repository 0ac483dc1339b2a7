"""Tell a softmax from sigmoids: its probabilities add up to 1, whatever the embedding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.contract import MULTI_LABEL, SINGLE_LABEL, ProblemType
from core.errors import HeadError
from export.head.layout import Layout

# How far from 1 rounding of float32 lets a softmax be, and from where on it is none: naive Bayes, whose
# logarithms are large, is off by 1e-4 to 1e-3.
_ROUNDING, _NONE = 1e-4, 1e-2


def tell(
    path: Path, layout: Layout, probabilities: NDArray[np.float64], stated: ProblemType | None
) -> ProblemType:
    """Return what a head is, by its probabilities of many embeddings, `[N, labels]`.

    Args:
        stated: what the recipe says.

    Raises:
        HeadError: the recipe states another, or says nothing where it cannot be told.
    """
    one_tensor = layout.form not in ("pairs", "sequence") and len(layout.order) > 1
    # Two labels, each of a classifier of its own, may exclude each other, and add up to 1 without a softmax.
    own = len(layout.order) == 2 and layout.table is not None and not layout.choices
    off = float(abs(probabilities.sum(axis=1) - 1).max())
    if own or not one_tensor or off > _NONE:
        found, told = MULTI_LABEL, "do not add up to 1 over the labels"
    elif off <= _ROUNDING:
        found, told = SINGLE_LABEL, "add up to 1 over the labels"
    elif stated is not None:
        return stated
    else:
        told = f"its probabilities add up to 1 but for {off:.1e}, which may be a softmax or not"
        raise HeadError(f"{path}: {told}; state [head] problem_type in the recipe")
    if stated not in (None, found):
        raise HeadError(f"{path}: the recipe's head.problem_type is {stated!r}, but its probabilities {told}")
    return found
