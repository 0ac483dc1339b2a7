"""Name what the export measures of the logits' sensitivity and the search reads, in `calibration.npz`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

# Linear layers of an encoder's layer, in the order of its kind's parts.
LINEARS = ("query", "key", "value", "attention_output", "up", "down")
_PREFIX, _DIRECTIONS, _REST = "sensitivity/", "/directions", "/rest"


class Sensitivity(NamedTuple):
    """How much the logits depend on the n columns that leave a linear layer.

    The second moment of the logits' gradients is about that of r directions `[r, n]` and, on the diagonal,
    what these leave `[n]`, float32 both; its diagonal is 1 on average.
    """

    directions_rn: NDArray[np.float32]
    rest_n: NDArray[np.float32]

    def columns(self, order: NDArray[np.int64], factor_n: NDArray[np.float32] | float = 1) -> Sensitivity:
        """Return that of the columns in `order`, of which each is divided by its factor before it leaves."""
        directions_rn, rest_n = self.directions_rn[:, order] * factor_n, self.rest_n[order]
        return Sensitivity(
            directions_rn.astype(np.float32), (rest_n * np.square(factor_n)).astype(np.float32)
        )

    @property
    def moment_nn(self) -> NDArray[np.float32]:
        """The second moment itself, float32 `[n, n]`."""
        moment: NDArray[np.float32] = self.directions_rn.T @ self.directions_rn + np.diag(self.rest_n)
        return moment


def array_names(linear: str) -> tuple[str, str]:
    """Return the names of a linear layer's two arrays: its directions, and what these leave."""
    return f"{_PREFIX}{linear}{_DIRECTIONS}", f"{_PREFIX}{linear}{_REST}"


def linears(arrays: Mapping[str, NDArray[Any]]) -> list[str]:
    """Return the linear layers that a file has the sensitivity of."""
    names = [name for name in arrays if name.startswith(_PREFIX) and name.endswith(_REST)]
    return [name.removeprefix(_PREFIX).removesuffix(_REST) for name in names]


def read(arrays: Mapping[str, NDArray[Any]], linear: str) -> Sensitivity:
    """Return a linear layer's.

    Raises:
        KeyError: the file has none.
        ValueError: the arrays' shapes are not of one layer.
    """
    directions_rn, rest_n = (arrays[name].astype(np.float32) for name in array_names(linear))
    if directions_rn.ndim != 2 or directions_rn.shape[1:] != rest_n.shape:
        raise ValueError(f"{linear}: found shapes {directions_rn.shape} and {rest_n.shape}")
    return Sensitivity(directions_rn, rest_n)
