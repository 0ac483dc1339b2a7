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
from graphs.guard import answers

Floats = NDArray[np.float32]
Limits = tuple[Floats, Floats]
# Ends of an interval that nothing is in.
_NEVER = (np.inf, -np.inf)


def limits(info: HeadInfo, margins: Sequence[float]) -> Limits:
    """Return between which log-odds each label is near its threshold, float32 `[labels]` both.

    The ends themselves are not near. A threshold of 0 is near to nothing: every text reaches it.

    Raises:
        GraphError: there are not as many margins as labels, or one is not a number from 0 on.
    """
    if len(margins) != len(info.labels) or not all(margin >= 0 for margin in margins):
        expected = f"a number from 0 on for each of {len(info.labels)} labels"
        raise GraphError(f"margins: found {[float(margin) for margin in margins]}, expected {expected}")
    thresholds = decisions.threshold_vector(info.thresholds, info.labels).astype(np.float64)
    ends = []
    for threshold, margin in zip(thresholds, margins, strict=True):
        logit = np.log(threshold) - np.log1p(-threshold) if threshold else np.inf
        ends.append((logit - margin, logit + margin) if threshold and margin else _NEVER)
    lows, highs = np.array(ends, np.float32).T
    return lows, highs


def _probability(log_odds: Floats) -> Floats:
    """Return probabilities, float32; what rounds to 0 or 1 stands for all log-odds beyond, and is beyond."""
    with np.errstate(over="ignore"):
        p = (1 / (1 + np.exp(-log_odds.astype(np.float64)))).astype(np.float32)
    return np.where(p == 0, np.float32(-np.inf), np.where(p == 1, np.float32(np.inf), p))


def _between(chain: Chain, value: ir.Value, low: ir.Value, high: ir.Value) -> ir.Value:
    above = chain.add("Greater", [value, low], "above")
    return chain.add("And", [above, chain.add("Less", [value, high], "below")], "between")


def _any_label(chain: Chain, scores: ir.Value, ends: Limits) -> ir.Value:
    low, high = (chain.floats(name, end) for name, end in zip(("low", "high"), ends, strict=True))
    # onnxruntime has no maximum of truths.
    numbers = chain.cast(_between(chain, scores, low, high), ir.DataType.INT32, "between_numbers")
    most = chain.add("ReduceMax", [numbers, chain.integers("axis_label", [1])], "nearest", keepdims=0)
    return chain.cast(most, ir.DataType.BOOL, "near")


def _highest(chain: Chain, probabilities: ir.Value, ends: Limits, margins: Sequence[float]) -> ir.Value:
    """Append whether the highest label's log-probability or its threshold is nearer than its margin."""
    two = chain.several("TopK", [probabilities, chain.integers("two", [2])], "highest", 2, axis=1)
    first, second = chain.several("Split", [two[0]], "of_highest", 2, axis=1, num_outputs=2)
    winner = chain.add("Gather", [two[1], chain.integers("winner_column", 0)], "winner", axis=1)
    # Below 0 for a margin beyond float32: even a second of 0 is nearer.
    shares = np.exp(-np.array(margins, np.float64)).astype(np.float32)
    shares[shares == 0] = -1
    columns = zip(("low", "high", "share"), (*ends, shares), strict=True)
    low, high, share = (
        chain.add("Gather", [chain.floats(f"{name}_of_label", column[:, None]), winner], name, axis=0)
        for name, column in columns
    )
    reached = chain.add("Greater", [second, chain.add("Mul", [first, share], "least_near")], "second_near")
    either = chain.add("Or", [reached, _between(chain, first, low, high)], "near_column")
    return chain.add("Squeeze", [either, chain.integers("axis_label", [1])], "near")


def near(chain: Chain, scores: ir.Value, info: HeadInfo, margins: Sequence[float]) -> ir.Value:
    """Append which texts are near to a decision, bool `[b]`.

    Multi-label: some label lies between its limits. Single-label: the highest label does, or the second
    highest log-probability is less below the highest than that label's margin. Each row is compared by
    itself: it says of a text what it says of it in any batch, if the scores are the same.

    Args:
        chain: where the nodes go.
        scores: float32 `[b, labels]` or pairs `[b, 2 labels]`, called as `answers.cut` calls them.
        info: the head.
        margins: of log-odds, in the order of the head's labels.

    Raises:
        GraphError: as `limits`.
    """
    ends = limits(info, margins)
    if scores.name not in answers.LOG_ODDS:
        low, high = (_probability(end) for end in ends)
        ends = low, high
    if info.problem_type == SINGLE_LABEL:
        return _highest(chain, scores, ends, margins)
    if scores.name in (names.LOGIT_PAIRS, names.ANSWER_PAIRS):
        # The first of a pair says no: it is near to nothing.
        columns = [info.labels.index(label) for label in info.output_order]
        no_yes = [(end, yes[columns]) for end, yes in zip(_NEVER, ends, strict=True)]
        low, high = (np.stack([np.full_like(yes, no), yes], axis=1).ravel() for no, yes in no_yes)
        ends = low, high
    return _any_label(chain, scores, ends)
