"""The head's files as `export` wrote them, for the merge."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from export.contract import ArtifactError
from export.info import HeadInfo


@dataclass(frozen=True)
class LinearHead:
    """Logistic regressions: weight float32 `[hidden, labels]`, bias float32 `[labels]`."""

    info: HeadInfo
    weight_hl: NDArray[np.float32]
    bias_l: NDArray[np.float32]


@dataclass(frozen=True)
class SubgraphHead:
    """Any other head, as its own graph."""

    info: HeadInfo
    model: ir.Model


def read(folder: Path) -> LinearHead | SubgraphHead:
    """Read `head.json` with `head.npz` or `head.onnx`.

    Raises:
        ArtifactError: a file is missing or damaged.
    """
    info = HeadInfo.read(folder / "head.json")
    path = folder / ("head.npz" if info.kind == "linear" else "head.onnx")
    try:
        if info.kind == "subgraph":
            return SubgraphHead(info, ir.load(path))
        with np.load(path, allow_pickle=False) as arrays:
            return LinearHead(info, arrays["weight_hl"], arrays["bias_l"])
    except (OSError, ValueError, KeyError) as error:
        raise ArtifactError(f"{path}: cannot be read: {error}; run `make export` again") from error
