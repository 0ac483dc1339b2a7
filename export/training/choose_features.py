"""Choose what a linear head reads: poolings of hidden states, by backward elimination on train."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.contract import FeaturePooling
from export.training.features import FOLDS, SEEDS, WEIGHT_DECAYS, Examples, Settings, fit
from export.training.tuning import macro_f1_across_halves, sigmoid

# A layer (0 is the embedding's) and how its hidden states are pooled.
Pooled = tuple[int, FeaturePooling]

_SETTINGS = Settings(WEIGHT_DECAYS[0], 0.0)


@dataclass(frozen=True)
class Step:
    """A set of poolings, and what a head on it reaches on texts that it was not fitted on.

    `entropy_left` is the mean over the labels of log loss / the label's own entropy: 1 where the head
    knows no more than how frequent a label is. Every label counts the same, as in macro-F1, but the last
    bit of luck in where a rare label's threshold falls does not.
    """

    parts: tuple[Pooled, ...]
    entropy_left: float
    macro_f1: float


def entropy_left(truth: NDArray[np.bool_], logits: NDArray[np.floating]) -> float:
    """Return the mean over labels of log loss / entropy; `[n, labels]` both; labels of one kind count 1."""
    signed = np.where(truth, -logits, logits).astype(np.float64)
    loss = np.logaddexp(0, signed).mean(axis=0)
    frequency = truth.mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = -frequency * np.log(frequency) - (1 - frequency) * np.log1p(-frequency)
        share = np.where(entropy > 0, loss / entropy, 1.0)
    return float(share.mean())


def fits(candidates: int, keep: int) -> int:
    """Return how many heads `eliminate` fits."""
    count, total = candidates, 1
    while count > keep:
        total += count + 1
        count -= _dropped(count, keep)
    return total


def _dropped(count: int, keep: int) -> int:
    """Half of what is too much goes at once, then half of the rest: the last ones go one by one."""
    return max(1, (count - keep) // 2)


def eliminate(
    train: Examples, candidates: Sequence[Pooled], keep: int, advance: Callable[[], None]
) -> list[Step]:
    """Drop those poolings whose absence costs a head the least, until `keep` are left.

    Heads are fitted on four fifths of train and judged on the last (backward elimination: Kohavi and
    John, Wrappers for feature subset selection, 1997).

    Args:
        train: features float32 `[n, candidates * h]`, one part a candidate, and truth bool `[n, labels]`.
        candidates: what the parts are, in their order.
        keep: how many to keep, at least 1.
        advance: called after each of the `fits` heads.

    Returns:
        Every set that was settled on, from all candidates down to `keep`.
    """
    features, truth = train
    parts = features.reshape(len(features), len(candidates), -1)
    judged = np.random.default_rng(0).permutation(len(truth)) % FOLDS == 0

    def judge(kept: list[int]) -> Step:
        of_kept = parts[:, kept].reshape(len(features), -1)
        head = fit(of_kept[~judged], truth[~judged], len(kept), _SETTINGS, SEEDS[0])
        logits = head.logits(of_kept[judged])
        advance()
        score = macro_f1_across_halves(truth[judged], sigmoid(logits))
        return Step(tuple(candidates[i] for i in kept), entropy_left(truth[judged], logits), score)

    kept = list(range(len(candidates)))
    steps = [judge(kept)]
    while len(kept) > keep:
        without = {i: judge([other for other in kept if other != i]).entropy_left for i in kept}
        missed_least = sorted(kept, key=lambda i: without[i])[: _dropped(len(kept), keep)]
        kept = [i for i in kept if i not in missed_least]
        steps.append(judge(kept))
    return steps


def as_toml(parts: Sequence[Pooled]) -> str:
    """Return the recipe's `[[features]]` tables for `parts`, one table a pooling."""
    lines = []
    for pooling in dict.fromkeys(how for _, how in parts):
        layers = sorted(layer for layer, how in parts if how == pooling)
        lines += ["[[features]]", f"layers = {layers}", f'pooling = ["{pooling}"]']
    return "\n".join(lines) + "\n"
