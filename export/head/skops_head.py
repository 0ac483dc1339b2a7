"""Read a head in skops, scikit-learn's own form without a pickle, and convert it to ONNX.

skops and skl2onnx read it in a process of limited memory and time (`skops_service`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from core.errors import HeadError
from core.untrusted import limits, zip_file
from core.untrusted.limited.allowance import Allowance
from core.untrusted.limited.process import CallError, Process
from core.untrusted.regular_file import FIELD_ERRORS, naming
from export.head import original, parsed, proof

_SERVICE = "export.head.skops_service"
# How far float32 may take probabilities from scikit-learn's float64.
_CONVERTED = 1e-4


def read(path: Path) -> onnx.ModelProto:
    """Read a classifier and return it as skl2onnx converts it, with dictionaries by class.

    Raises:
        HeadError: damaged, too large, of a type that is not trusted, or no classifier that skl2onnx converts.
    """
    process = Process(_SERVICE, path, HeadError)
    content = zip_file.read(path, limits.HEAD_BYTES, limits.SKOPS_DIRECTORY_BYTES, HeadError)
    size = len(content)
    seconds = limits.SKOPS_SECONDS + size / limits.SKOPS_BYTES_PER_SECOND
    allowed = Allowance(seconds, limits.RUN_BYTES + limits.SKOPS_FACTOR * size, limits.HEAD_BYTES)
    try:
        told, (converted, expected) = process.call("convert", {}, [np.frombuffer(content, np.uint8)], allowed)
    except CallError as failure:
        raise HeadError(f"{path}: {str(failure).removeprefix('head: ')}") from failure
    finally:
        process.close()
    model = parsed.parse(path, converted.tobytes())
    with naming(path, HeadError, "cannot be run", *FIELD_ERRORS):
        _compare(path, model, expected, int(told["width"]))
    return model


def _compare(path: Path, model: onnx.ModelProto, expected: NDArray[np.float64], width: int) -> None:
    """Check that a converted classifier says what scikit-learn's own does.

    Raises:
        HeadError: it does not; isotonic calibration, for one, is converted into something else.
    """
    answers = original.answer(str(path), original.open_head(str(path), model), proof.probes(width))
    # A sequence of pairs, or of dictionaries in the order of the classes.
    found: Any = next(answer for answer in answers.values() if isinstance(answer, list))
    if isinstance(found[0], dict):
        found = [list(row.values()) for row in found]
    off = float(abs(np.asarray(found, np.float64) - np.asarray(expected)).max())
    if not off <= _CONVERTED:
        raise HeadError(f"{path}: skl2onnx converts it into something else: off by {off:.1e} on probes")
