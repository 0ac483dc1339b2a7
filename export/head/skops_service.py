"""`python -m export.head.skops_service`: make a classifier of a skops file, and convert it, within limits.

skops makes objects of types that are known to run nothing of the file's; all others are refused.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import onnx
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from skops import io as skops_io

from core.contract import HEAD_INPUT, OPSET
from core.errors import HeadError
from core.untrusted import limits
from core.untrusted.limited import service
from core.untrusted.limited.frames import Header, Value
from core.untrusted.regular_file import naming
from export.head import proof

# What a message begins with here; the parent puts the file's name there.
PLACE = "head"
# Plain classes in Python that skops does not list. Trees are not: their arrays index memory unchecked.
_TRUSTED = [
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
]


def _estimator(content: bytes) -> tuple[Any, int]:
    """Return a classifier and how many features it takes."""
    with naming(PLACE, HeadError, "cannot be read as a classifier of scikit-learn's", Exception):
        unknown = [name for name in skops_io.get_untrusted_types(data=content) if name not in _TRUSTED]
        if unknown:
            told = f"refused: holds a {unknown[0]}, which is not known to be safe"
            raise HeadError(f"{PLACE}: {told}; convert it to ONNX where you trust it")
        estimator = skops_io.loads(content, trusted=_TRUSTED)
        if not hasattr(estimator, "predict_proba"):
            kind, mend = type(estimator).__name__, "wrap it in CalibratedClassifierCV"
            raise HeadError(f"{PLACE}: found a {kind}, which has no probabilities; {mend}")
        width = int(estimator.n_features_in_)
        if not 1 <= width <= limits.FEATURES:
            raise HeadError(f"{PLACE}: found {width} features, expected 1 to {limits.FEATURES:,}")
        return estimator, width
    raise AssertionError


def convert(header: Header, values: list[Value]) -> tuple[Header, list[Value]]:
    """Return a file's classifier as skl2onnx converts it, and what scikit-learn's own says of probes."""
    estimator, width = _estimator(values[0].tobytes())
    with (
        naming(PLACE, HeadError, "skl2onnx does not convert it", Exception),
        warnings.catch_warnings(action="ignore"),
    ):
        model: onnx.ModelProto = convert_sklearn(
            estimator,
            initial_types=[(HEAD_INPUT, FloatTensorType([None, width]))],
            target_opset={"": OPSET, "ai.onnx.ml": 3},
        )
        content = model.SerializeToString()
    with naming(PLACE, HeadError, "cannot be run", Exception):
        expected = np.asarray(estimator.predict_proba(proof.probes(width)), np.float64)
    return {"width": width}, [np.frombuffer(content, np.uint8), expected]


def functions() -> dict[str, service.Function]:
    """Return what a parent may ask for."""
    return {"convert": convert}


if __name__ == "__main__":
    service.run(functions())
