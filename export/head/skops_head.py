"""Read a head in skops, scikit-learn's own form without a pickle, and convert it to ONNX.

skops makes objects of types that are known to run nothing of the file's; all others are refused.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from skops import io as skops_io

from core.contract import HEAD_INPUT, OPSET
from core.errors import HeadError
from core.untrusted import limits, onnx_file, zip_file
from core.untrusted.regular_file import naming
from core.untrusted.wire import operators
from export.head import original, proof

# Plain classes in Python that skops does not list. Trees are not: their arrays index memory unchecked.
_TRUSTED = [
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
]
# How far float32 may take probabilities from scikit-learn's float64.
_CONVERTED = 1e-4


def read(path: Path) -> onnx.ModelProto:
    """Read a classifier and return it as skl2onnx converts it, with dictionaries by class.

    Raises:
        HeadError: damaged, too large, of a type that is not trusted, or no classifier that skl2onnx converts.
    """
    content = zip_file.read(path, limits.HEAD_BYTES, limits.SKOPS_DIRECTORY_BYTES, HeadError)
    with naming(path, HeadError, "cannot be read as a classifier of scikit-learn's", Exception):
        unknown = [name for name in skops_io.get_untrusted_types(data=content) if name not in _TRUSTED]
        if unknown:
            told = f"refused: holds a {unknown[0]}, which is not known to be safe"
            raise HeadError(f"{path}: {told}; convert it to ONNX where you trust it")
        estimator = skops_io.loads(content, trusted=_TRUSTED)
        if not hasattr(estimator, "predict_proba"):
            kind, mend = type(estimator).__name__, "wrap it in CalibratedClassifierCV"
            raise HeadError(f"{path}: found a {kind}, which has no probabilities; {mend}")
        width = estimator.n_features_in_
    with (
        naming(path, HeadError, "skl2onnx does not convert it", Exception),
        warnings.catch_warnings(action="ignore"),
    ):
        model: onnx.ModelProto = convert_sklearn(
            estimator,
            initial_types=[(HEAD_INPUT, FloatTensorType([None, width]))],
            target_opset={"": OPSET, "ai.onnx.ml": 3},
        )
    onnx_file.check_bytes(model.SerializeToString(), path, operators.HEAD, HeadError)
    with naming(path, HeadError, "cannot be run", Exception):
        _compare(path, model, estimator, width)
    return model


def _compare(path: Path, model: onnx.ModelProto, estimator: Any, width: int) -> None:
    """Check that a converted classifier says what scikit-learn's own does.

    Raises:
        HeadError: it does not; isotonic calibration, for one, is converted into something else.
    """
    probes = proof.probes(width)
    answers = original.answer(str(path), original.open_head(str(path), model), probes)
    expected = estimator.predict_proba(probes)
    # A sequence of pairs, or of dictionaries in the order of the classes.
    found: Any = next(answer for answer in answers.values() if isinstance(answer, list))
    if isinstance(found[0], dict):
        found = [list(row.values()) for row in found]
    off = float(abs(np.asarray(found, np.float64) - np.asarray(expected)).max())
    if not off <= _CONVERTED:
        raise HeadError(f"{path}: skl2onnx converts it into something else: off by {off:.1e} on probes")
