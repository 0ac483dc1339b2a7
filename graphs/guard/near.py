"""Find the texts that are nearer to a decision than a margin."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from core import decisions
from core.build.facts import HeadInfo
from core.contract import SINGLE_LABEL
from core.errors import GraphError
from graphs.edit import names
from graphs.edit.chain import Chain

Floats = NDArray[np.float32]
# Ends of an interval that no probability is in, and what is below and above every probability.
_NEVER = (2.0, -1.0)
_BELOW, _ABOVE = -1.0, 2.0


def _sigmoid(logit: float) -> float:
    """Return a probability as float32 has it."""
    return float(np.float32(1 / (1 + np.exp(np.clip(-logit, -700, 700)))))


def limits(info: HeadInfo, margins: Sequence[float]) -> tuple[Floats, Floats]:
    """Return between which probabilities each label is near its threshold, float32 `[labels]` both.

    The ends are those of log-odds less and more by the label's margin, and not near themselves. What float32
    rounds to 0 or 1 stands for all log-odds beyond. A threshold of 0 is near to nothing: every text reaches
    it.

    Raises:
        GraphError: there are not as many margins as labels, or one is not a number from 0 on.
    """
    if len(margins) != len(info.labels) or not all(margin >= 0 for margin in margins):
        expected = f"a number from 0 on for each of {len(info.labels)} labels"
        raise GraphError(f"margins: found {len(margins)}, {list(margins)[:3]} …, expected {expected}")
    thresholds = decisions.threshold_vector(info.thresholds, info.labels).astype(np.float64)
    ends = []
    for threshold, margin in zip(thresholds, margins, strict=True):
        if not threshold or not margin:
            ends.append(_NEVER)
            continue
        logit = np.log(threshold / (1 - threshold))
        low, high = (_sigmoid(end) for end in (logit - margin, logit + margin))
        ends.append((low if low > 0 else _BELOW, high if high < 1 else _ABOVE))
    lows, highs = np.array(ends, np.float32).T
    return lows, highs


def _between(chain: Chain, value: ir.Value, low: ir.Value, high: ir.Value) -> ir.Value:
    above = chain.add("Greater", [value, low], "above")
    return chain.add("And", [above, chain.add("Less", [value, high], "below")], "between")


def _any_label(chain: Chain, probabilities: ir.Value, lows: Floats, highs: Floats) -> ir.Value:
    between = _between(chain, probabilities, chain.floats("low", lows), chain.floats("high", highs))
    # onnxruntime has no maximum of truths.
    numbers = chain.cast(between, ir.DataType.INT32, "between_numbers")
    most = chain.add("ReduceMax", [numbers, chain.integers("axis_label", [1])], "nearest", keepdims=0)
    return chain.cast(most, ir.DataType.BOOL, "near")


def _highest(
    chain: Chain, probabilities: ir.Value, lows: Floats, highs: Floats, margins: Sequence[float]
) -> ir.Value:
    """Append whether the highest label's log-probability or its threshold is nearer than its margin."""
    axis = chain.integers("axis_label", [1])
    two = chain.several("TopK", [probabilities, chain.integers("two", [2])], "highest", 2, axis=1)
    first, second = chain.several("Split", [two[0]], "of_highest", 2, axis=1, num_outputs=2)
    winner = chain.add("Gather", [two[1], chain.integers("winner_column", 0)], "winner", axis=1)
    # Below 0 for a margin beyond float32: even a second of 0 is nearer.
    shares = np.exp(-np.array(margins, np.float64)).astype(np.float32)
    shares[shares == 0] = -1
    tables = {"low": lows[:, None], "high": highs[:, None], "share": shares[:, None]}
    low, high, share = (
        chain.add("Gather", [chain.floats(f"{name}_of_label", table), winner], name, axis=0)
        for name, table in tables.items()
    )
    reached = chain.add("Greater", [second, chain.add("Mul", [first, share], "least_near")], "second_near")
    either = chain.add("Or", [reached, _between(chain, first, low, high)], "near_column")
    return chain.add("Squeeze", [either, axis], "near")


def near(chain: Chain, probabilities: ir.Value, info: HeadInfo, margins: Sequence[float]) -> ir.Value:
    """Append which texts are near to a decision, bool `[b]`.

    Multi-label: some label's probability lies between its limits. Single-label: the highest label's does, or
    the second highest log-probability is less below the highest than that label's margin. Each row is
    compared by itself: it says of a text what it says of it in any batch, if the probabilities are the same.

    Args:
        chain: where the nodes go.
        probabilities: float32 `[b, labels]`; or the labels' pairs, `[b, 2 labels]`, called as `answers.cut`
            calls them.
        info: the head.
        margins: of log-odds, in the order of the head's labels.

    Raises:
        GraphError: as `limits`.
    """
    lows, highs = limits(info, margins)
    if info.problem_type == SINGLE_LABEL:
        return _highest(chain, probabilities, lows, highs, margins)
    if probabilities.name == names.ANSWER_PAIRS:
        # The first of a pair says no: it is near to nothing.
        columns = [info.labels.index(label) for label in info.output_order]
        no_yes = [(end, ends[columns]) for end, ends in zip(_NEVER, (lows, highs), strict=True)]
        lows, highs = (np.stack([np.full_like(yes, no), yes], axis=1).ravel() for no, yes in no_yes)
    return _any_label(chain, probabilities, lows, highs)
