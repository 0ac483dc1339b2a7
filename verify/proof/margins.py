"""Check that a guarded graph asks twice what its metadata says: within what limits of each threshold."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from core.artifact.graph import Graph
from core.build.facts import HeadInfo
from core.contract import PREDICTIONS, SINGLE_LABEL
from core.decisions import threshold_vector
from verify.proof import constants
from verify.proof.settings import Claim

Floats = NDArray[np.floating]

# Of graphs that decide each label by itself, and of single-label ones, by the label that is highest.
_EACH, _HIGHEST = ("guard_low", "guard_high"), ("guard_low_of_label", "guard_high_of_label")
_SHARE = "guard_share_of_label"
# Limits that nothing is between: of a label that nothing is near to.
_NEVER = np.inf, -np.inf
# Limits are rounded to float32, and the last bits of exp and log are the machine's.
_RELATIVE, _ABSOLUTE = 1e-6, 1e-7


def _limits(thresholds_l: Floats, margins_l: Floats) -> tuple[Floats, Floats]:
    """Return the ends, in log-odds, of what is near to each threshold."""
    threshold_l = thresholds_l.astype(np.float64)
    with np.errstate(divide="ignore"):
        odds = np.log(threshold_l) - np.log1p(-threshold_l)
    never = (threshold_l == 0) | (margins_l == 0)
    return np.where(never, _NEVER[0], odds - margins_l), np.where(never, _NEVER[1], odds + margins_l)


def _probability(log_odds_l: Floats) -> Floats:
    """Return probabilities; what float32 rounds to 0 or 1 reaches beyond."""
    with np.errstate(over="ignore"):
        p = (1 / (1 + np.exp(-log_odds_l))).astype(np.float32)
    return np.where(p == 0, -np.inf, np.where(p == 1, np.inf, p))


def _differing(found: Floats | None, expected: Floats, labels: list[str]) -> list[str]:
    """Return the labels of which a constant is another; all where it is not there, or of another size."""
    if found is None or found.shape != expected.shape:
        return labels
    same = np.isclose(found, expected, rtol=_RELATIVE, atol=_ABSOLUTE)
    return [label for label, is_same in zip(labels, same, strict=True) if not is_same]


def claims(graph: Graph, head: HeadInfo) -> Iterator[Claim]:
    """Yield, for each constant of a graph's guard, the labels that it is another of than the metadata says.

    Raises:
        ArtifactError: the graph's constants cannot be read.
    """
    found: dict[str, Floats] = dict(constants.named(graph.path, *_EACH, *_HIGHEST, _SHARE))
    guard = graph.metadata.guard
    if guard is None:
        yield "limits of a guard, of which the metadata says nothing", sorted(found), []
        return
    margins_l = np.array([guard["margins"][label] for label in graph.labels], np.float64)
    ends = _limits(threshold_vector(graph.thresholds, graph.labels), margins_l)
    if head.kind != "linear" or head.problem_type == SINGLE_LABEL:
        # There the graph compares probabilities.
        ends = _probability(ends[0]), _probability(ends[1])
    labels = graph.labels
    if head.problem_type == SINGLE_LABEL:
        share = np.exp(-margins_l).astype(np.float32)
        ends_of = dict(zip(_HIGHEST, ends, strict=True)) | {_SHARE: np.where(share == 0, -1, share)}
    elif PREDICTIONS in [value.name for value in graph.session.get_outputs()]:
        ends_of = dict(zip(_EACH, ends, strict=True))
    else:
        # Pairs, of which the first says no, in the head's own order.
        columns = [labels.index(label) for label in head.output_order]
        ends_of = {
            name: np.stack([np.full(len(labels), never), end[columns]], axis=1).ravel()
            for name, never, end in zip(_EACH, _NEVER, ends, strict=True)
        }
        labels = [label for label in head.output_order for _ in range(2)]
    for name, expected in ends_of.items():
        yield f"{name}: labels with another margin", _differing(found.get(name), expected, labels), []
