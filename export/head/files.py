"""Read the two files of a published head, which are untrusted, once they are checked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import onnx

from core.errors import HeadError
from core.untrusted import json_file, limits, onnx_file
from core.untrusted.wire import operators


def check_labels(path: Path, stated: Sequence[str], labels: Sequence[str]) -> None:
    """Check that a file states the recipe's labels, in any order.

    Raises:
        HeadError: a label is missing, unknown or a duplicate; the message names the file and the label.
    """
    for label in stated:
        if stated.count(label) > 1:
            raise HeadError(f"{path}: duplicate label {label!r}")
        if label not in labels:
            raise HeadError(f"{path}: label {label!r} is unknown to the recipe")
    for label in labels:
        if label not in stated:
            raise HeadError(f"{path}: label {label!r} of the recipe is missing")


def read_thresholds(path: Path, labels: Sequence[str]) -> dict[str, float]:
    """Read `thresholds.json`; return label → threshold in the order of `labels`.

    Raises:
        HeadError: not JSON; a label missing, unknown or a duplicate; a threshold that is not a number
            between 0 and 1.
    """
    thresholds = json_file.read(path, HeadError, limits.THRESHOLDS_BYTES, "label")
    if not isinstance(thresholds, dict):
        raise HeadError(f"{path}: expected one object, label to threshold")
    check_labels(path, list(thresholds), labels)
    for label, value in thresholds.items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not 0 < value < 1:
            raise HeadError(
                f"{path}: threshold of {label!r}: found {value!r}, expected a number between 0 and 1"
            )
    return {label: float(thresholds[label]) for label in labels}


def load(path: Path) -> onnx.ModelProto:
    """Read a head's ONNX file.

    Raises:
        HeadError: not ONNX, not accepted by `onnx_file`, or not valid by onnx's own checker.
    """
    onnx_file.check(path, operators.HEAD, limits.HEAD_BYTES, HeadError)
    try:
        model = onnx.load(path, load_external_data=False)
        onnx.checker.check_model(model)
    except Exception as error:  # protobuf's and the checker's share no base
        raise HeadError(f"{path}: not an ONNX file: {str(error).strip()}") from error
    return model
