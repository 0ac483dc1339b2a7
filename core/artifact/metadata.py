"""What a finished graph says of itself, and whether that is the contract's. No weights are looked at."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.contract import ATTENTION_MASK, INPUT_IDS, LOGITS, METADATA_KEYS, PREDICTIONS, PROBABILITIES, TEXT
from core.errors import ArtifactError
from core.untrusted import json_file

_INPUTS = (INPUT_IDS, ATTENTION_MASK)
_STACKED = {LOGITS: "tensor(float)", PROBABILITIES: "tensor(float)", PREDICTIONS: "tensor(bool)"}
_RANK = 2


def labels(path: Path, metadata: Mapping[str, str]) -> list[str]:
    """Read the labels.

    Raises:
        ArtifactError: metadata of the contract are missing, or the labels are not different names.
    """
    missing = [key for key in METADATA_KEYS if key not in metadata]
    if missing:
        raise ArtifactError(f"{path}: metadata lacks {', '.join(missing)}")
    found = json_file.loads(metadata["labels"], f"{path}: metadata labels", ArtifactError)
    if not isinstance(found, list) or not found or not all(isinstance(label, str) for label in found):
        raise ArtifactError(f"{path}: metadata labels: expected a list of names")
    twice = sorted({label for label in found if found.count(label) > 1})
    if twice:
        raise ArtifactError(f"{path}: metadata labels: {twice[0]!r} is there twice")
    return found


def thresholds(path: Path, metadata: Mapping[str, str], names: list[str]) -> dict[str, float]:
    """Read the thresholds, in the order of the labels.

    Raises:
        ArtifactError: they are not one number between 0 and 1 a label.
    """
    place = f"{path}: metadata thresholds"
    found = json_file.loads(metadata["thresholds"], place, ArtifactError, "label")
    if not isinstance(found, dict) or set(found) != set(names):
        raise ArtifactError(f"{place}: expected one a label: {', '.join(names)}")
    for label, value in found.items():
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < 1:
            raise ArtifactError(f"{place}: {label!r}: found {value!r}, expected a number between 0 and 1")
    return {label: float(found[label]) for label in names}


def _check(path: Path, kind: str, value: Any, expected: str, rank: int = _RANK) -> None:
    if value.type != expected or len(value.shape) != rank:
        raise ArtifactError(
            f"{path}: {kind} {value.name}: found {value.type} {value.shape}, "
            f"expected {expected} of rank {rank}"
        )


def check_ends(path: Path, session: Any, names: list[str]) -> None:
    """Check a session's inputs and outputs; of either contract.

    Raises:
        ArtifactError: a name or a type is another than the contract's.
    """
    inputs = session.get_inputs()
    found = sorted(value.name for value in inputs)
    if found not in (sorted(_INPUTS), [TEXT]):
        raise ArtifactError(f"{path}: found inputs {found}, expected {list(_INPUTS)}, or {[TEXT]}")
    for value in inputs:
        if value.name == TEXT:
            _check(path, "input", value, "tensor(string)", 1)
        else:
            _check(path, "input", value, "tensor(int64)")
    outputs = {value.name: value for value in session.get_outputs()}
    expected = _STACKED if set(_STACKED) <= set(outputs) else dict.fromkeys(names, "tensor(float)")
    for name, kind in expected.items():
        if name not in outputs:
            raise ArtifactError(f"{path}: has no output {name}; found {', '.join(outputs)[:200]}")
        _check(path, "output", outputs[name], kind)
