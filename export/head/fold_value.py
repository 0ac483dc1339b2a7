"""What a value of a head's graph can be while it is folded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class NotLinearError(Exception):
    """The head is not plain logistic regressions; the message says where it stops being so."""


@dataclass(frozen=True)
class Columns:
    """`x @ weight + bias`, or its sigmoid; weight `[features, k]`, bias `[k]`."""

    weight: Array
    bias: Array
    sigmoid: bool = False

    def pick(self, columns: Any) -> Columns:
        """Return the given columns, chosen as numpy indexes them."""
        return Columns(self.weight[:, columns], self.bias[columns], self.sigmoid)

    def is_pair(self) -> bool:
        """Whether these are two columns `1 - p` and `p`."""
        return (
            self.sigmoid
            and self.bias.shape == (2,)
            and np.array_equal(self.weight[:, 0], -self.weight[:, 1])
            and bool(self.bias[0] == -self.bias[1])
        )


Value = Columns | NDArray[Any] | list[Any]


def columns(value: Value, *, sigmoid: bool | None = None) -> Columns:
    """Return a value as columns.

    Raises:
        NotLinearError: it is none, or (where `sigmoid` is given) not of that kind.
    """
    if not isinstance(value, Columns) or (sigmoid is not None and value.sigmoid != sigmoid):
        raise NotLinearError("takes something that is not affine in the embedding")
    return value
