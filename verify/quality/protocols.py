"""The protocols of an evaluation: where thresholds were chosen, and where they are measured.

- ``dev-tuned``: the artifact's own thresholds, measured on test. The honest one: they were chosen on dev,
  by the trainer of features also on train out of fold, and on nothing of test.
- ``test-tuned``: chosen on test on the grid of 0.05 and measured there, as the published card did.
- ``at-0.5``: 0.5 for every label, on test.
- ``dev``: the artifact's own thresholds on dev.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verify.quality import metrics
from verify.quality.answers import Answered
from verify.quality.threshold_methods import Choice, Scored, choose

DEV_TUNED = "dev-tuned"
TEST_TUNED = "test-tuned"
AT_HALF = "at-0.5"
DEV = "dev"
_PUBLISHED_WAY = Choice("plain", "grid")


def _measure(split: str, scored: Scored, limits: NDArray[np.float64]) -> dict[str, Any]:
    found = metrics.metrics(scored.truth, scored.decide(limits))
    thresholds = dict(zip(scored.labels, limits.tolist(), strict=True))
    return {
        "split": split,
        "texts": len(scored.truth),
        "labels": metrics.as_rows(scored.labels, thresholds, found),
        **found.averages(),
    }


def measure(answered: Answered) -> dict[str, Any]:
    """Return one entry of `variants` in `evaluation.json`.

    Raises:
        ThresholdError: a label has no positive text in test.
    """
    dev, test = answered.scored["dev"], answered.scored["test"]
    return {
        "variant": answered.variant,
        "sha256": answered.sha256,
        "seconds": answered.seconds,
        "protocols": {
            DEV_TUNED: _measure("test", test, answered.thresholds),
            TEST_TUNED: _measure("test", test, choose(test, _PUBLISHED_WAY)),
            AT_HALF: _measure("test", test, np.full(len(test.labels), 0.5)),
            DEV: _measure("dev", dev, answered.thresholds),
        },
    }


def evaluation(
    recipe: str, encoder: str, published: dict[str, Any], variants: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Return the content of `evaluation.json`."""
    return {"recipe": recipe, "encoder": encoder, "published": published, "variants": list(variants)}
