"""Reading a reference file: what the original pair said of a list of texts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from core import decisions
from core.contract import MULTI_LABEL, ProblemType
from core.errors import ArtifactError
from core.untrusted import json_file, limits, npz_file
from core.untrusted.regular_file import FIELD_ERRORS, naming

# What the reference's texts are where a recipe states none of its own.
GENERAL_TEXTS = "general texts, not of the classifier's own kind"


@dataclass(frozen=True)
class Reference:
    """Texts, their token ids, and the original's float32 answers `[n, labels]`; `source` says what texts.

    The original gives probabilities; `logits` are their log-odds, or, of a single-label problem, their
    logarithms, which are the logits of a softmax but for a constant a row.
    """

    texts: list[str]
    labels: list[str]
    ids: list[list[int]]
    logits: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    thresholds: dict[str, float]
    problem_type: ProblemType
    encoder_sha256: str
    head_sha256: str
    source: str = GENERAL_TEXTS

    @property
    def decisions(self) -> NDArray[np.bool_]:
        """The original's decisions, bool `[n, labels]`."""
        thresholds = decisions.threshold_vector(self.thresholds, self.labels)
        return decisions.decide(self.probabilities, thresholds, self.problem_type)


def _text(array: NDArray[np.uint8]) -> str:
    return array.tobytes().decode("utf-8")


def _names(path: Path, name: str, array: NDArray[Any]) -> list[str]:
    if array.nbytes > limits.REFERENCE_TEXT_BYTES:
        most = f"expected at most {limits.REFERENCE_TEXT_BYTES:,}"
        raise ValueError(f"{name}: found {array.nbytes:,} bytes, {most}")
    found = json_file.loads(_text(array), path, ArtifactError)
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise ValueError("expected a list of texts")
    return found


def _problem_type(arrays: npz_file.Arrays) -> ProblemType:
    # Files of before there was another problem do not say it.
    stated = _text(arrays["problem_type"]) if "problem_type" in arrays else MULTI_LABEL
    for known in get_args(ProblemType):
        if stated == known:
            return known  # type: ignore[no-any-return]
    raise ValueError(f"problem_type: found {stated!r}, expected {' or '.join(get_args(ProblemType))}")


def _ids(arrays: npz_file.Arrays) -> list[list[int]]:
    lengths, joined = arrays["lengths"], arrays["input_ids"]
    if lengths.ndim != 1 or joined.ndim != 1 or {lengths.dtype.kind, joined.dtype.kind} != {"i"}:
        raise ValueError("input_ids and lengths: expected whole numbers")
    if len(joined) > limits.REFERENCE_TOKENS:
        raise ValueError(f"input_ids: found {len(joined):,}, expected at most {limits.REFERENCE_TOKENS:,}")
    if (lengths < 0).any() or int(lengths.sum(dtype=np.int64)) != len(joined):
        raise ValueError(f"lengths: expected numbers that add up to {len(joined)}")
    return [part.tolist() for part in np.split(joined, np.cumsum(lengths)[:-1])] if len(lengths) else []


def read(path: Path) -> Reference:
    """Read a reference file.

    Raises:
        ArtifactError: it is missing, too large, damaged, or its arrays don't fit each other.
    """
    arrays = npz_file.read(path, ArtifactError, "not a reference file")
    with naming(path, ArtifactError, "not a reference file", *FIELD_ERRORS):
        labels = _names(path, "labels", arrays["labels"])
        reference = Reference(
            texts=_names(path, "texts", arrays["texts"]),
            labels=labels,
            ids=_ids(arrays),
            logits=arrays["logits"],
            probabilities=arrays["probabilities"],
            thresholds=dict(zip(labels, arrays["thresholds"].tolist(), strict=True)),
            problem_type=_problem_type(arrays),
            encoder_sha256=_text(arrays["encoder_sha256"]),
            head_sha256=_text(arrays["head_sha256"]),
            source=_text(arrays["source"]) if "source" in arrays else GENERAL_TEXTS,
        )
    if len(labels) > limits.LABELS:
        raise ArtifactError(f"{path}: found {len(labels):,} labels, expected at most {limits.LABELS:,}")
    expected = (len(reference.ids), len(labels))
    if not expected[0] or not expected[1]:
        raise ArtifactError(f"{path}: found {expected[0]} texts and {expected[1]} labels, expected some")
    for name, answers in (("logits", reference.logits), ("probabilities", reference.probabilities)):
        if answers.shape != expected or len(reference.texts) != expected[0]:
            raise ArtifactError(f"{path}: {name}: found shape {answers.shape}, expected {expected}")
        if answers.dtype != np.float32 or not np.isfinite(answers).all():
            raise ArtifactError(f"{path}: {name}: expected float32 numbers, all finite")
    return reference
