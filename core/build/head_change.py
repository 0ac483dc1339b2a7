"""What quantization adds to a linear head's weights and biases, as a plan has it."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.untrusted.regular_file import RefusedError

_EXPECTED = "expected weight int8 [features, labels], unit and bias float32 [labels], all finite"


@dataclass(frozen=True)
class HeadChange:
    """A change of a head's weights, and of its bias: columns in the order of the graph's head.

    `weight_fl` int8 in units of `unit_l` float32, of all features one after another as the graph's products
    read them: means before others. `bias_l` float32.
    """

    weight_fl: NDArray[np.int8]
    unit_l: NDArray[np.float32]
    bias_l: NDArray[np.float32]

    @property
    def weight(self) -> NDArray[np.float32]:
        """The change of the weights, float32 `[features, labels]`; one product each: the same everywhere."""
        change: NDArray[np.float32] = self.weight_fl.astype(np.float32) * self.unit_l
        return change


def encoded(change: HeadChange) -> dict[str, str]:
    """Return the content that `decoded` reads back exactly: base64 of int8 and of float32."""
    arrays = {
        "weight": change.weight_fl,
        "unit": change.unit_l.astype("<f4"),
        "bias": change.bias_l.astype("<f4"),
    }
    return {name: base64.b64encode(array.tobytes()).decode("ascii") for name, array in arrays.items()}


def decoded(content: Any) -> HeadChange:
    """Read a change.

    Raises:
        RefusedError: it is none.
    """
    if not isinstance(content, dict) or sorted(content) != ["bias", "unit", "weight"]:
        found = sorted(content) if isinstance(content, dict) else content
        raise RefusedError(f"head: found {str(found)[:60]}, {_EXPECTED}")
    try:
        raw = {name: base64.b64decode(text, validate=True) for name, text in content.items()}
        unit_l, bias_l = (np.frombuffer(raw[name], "<f4").astype(np.float32) for name in ("unit", "bias"))
    except (ValueError, TypeError) as error:
        raise RefusedError(f"head: {error}; {_EXPECTED}") from error
    weight, labels = np.frombuffer(raw["weight"], np.int8), len(unit_l)
    if not labels or len(bias_l) != labels or not len(weight) or len(weight) % labels:
        found = f"found {len(weight)}, {labels} and {len(bias_l)} numbers"
        raise RefusedError(f"head: weight, unit, bias: {found}, {_EXPECTED}")
    if not (np.isfinite(unit_l).all() and np.isfinite(bias_l).all()):
        raise RefusedError(f"head: unit, bias: found a number that is not finite, {_EXPECTED}")
    return HeadChange(weight.reshape(-1, labels), unit_l, bias_l)
