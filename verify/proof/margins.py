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
# Limits that no probability is between: of a label that nothing is near to.
_NEVER = 2.0, -1.0
# Limits are rounded to float32, and the last bits of exp are the machine's.
_RELATIVE = 1e-6


def _limits(thresholds_l: Floats, margins_l: Floats) -> tuple[Floats, Floats]:
    """Return the ends of what is near to each threshold; what float32 rounds to 0 or 1 reaches beyond."""
    threshold_l = thresholds_l.astype(np.float64)
    with np.errstate(divide="ignore", over="ignore"):
        odds = np.log(threshold_l) - np.log1p(-threshold_l)
        low, high = (1 / (1 + np.exp(-ends)) for ends in (odds - margins_l, odds + margins_l))
    low, high = np.where(low.astype(np.float32) > 0, low, -1), np.where(high.astype(np.float32) < 1, high, 2)
    never = (threshold_l == 0) | (margins_l == 0)
    return np.where(never, _NEVER[0], low), np.where(never, _NEVER[1], high)


def _differing(found: Floats | None, expected: Floats, labels: list[str]) -> list[str]:
    """Return the labels of which a constant is another; all where it is not there, or of another size."""
    if found is None or found.shape != expected.shape:
        return labels
    same = np.isclose(found, expected, rtol=_RELATIVE, atol=0)
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
