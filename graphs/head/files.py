"""Read the head's files as `export` wrote them, for the merge."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from core.build.facts import HeadInfo
from core.errors import ArtifactError
from core.untrusted import limits, npz_file, onnx_file
from core.untrusted.wire import operators

_AGAIN = "; run `make export` again"


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
    if info.kind == "subgraph":
        onnx_file.check(path, operators.HEAD, ArtifactError, limits.HEAD_BYTES)
        return SubgraphHead(info, ir.load(path))
    arrays = npz_file.read(path, ArtifactError, hint=_AGAIN)
    try:
        return LinearHead(info, arrays["weight_hl"], arrays["bias_l"])
    except KeyError as error:
        raise ArtifactError(f"{path}: has no {error}{_AGAIN}") from error
