"""The linear layers between pooling and normalization, as `export` writes them for the graph stages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.build.facts import EncoderInfo
from core.contract import DenseActivation
from core.disk.files import replacing
from core.errors import ArtifactError
from core.untrusted import npz_file

DENSE_FILE = "dense.npz"


class DenseLayer(NamedTuple):
    """`activation(x @ weight_io + bias_o)`: float32 `[inputs, outputs]` and `[outputs]`."""

    weight_io: NDArray[np.float32]
    bias_o: NDArray[np.float32]
    activation: DenseActivation


def write(build: Path, layers: Sequence[DenseLayer]) -> None:
    """Write the file of a build's folder; where there are no layers, there is none."""
    path = build / DENSE_FILE
    if not layers:
        path.unlink(missing_ok=True)
        return
    arrays: npz_file.Arrays = {}
    for index, layer in enumerate(layers):
        arrays |= {f"weight_{index}": layer.weight_io, f"bias_{index}": layer.bias_o}
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def read(build: Path, info: EncoderInfo) -> list[DenseLayer]:
    """Read the layers that an encoder's facts name, from the file of a build's folder.

    Raises:
        ArtifactError: it is missing or damaged, or its arrays are not those of the facts.
    """
    if not info.dense:
        return []
    path = build / DENSE_FILE
    arrays = npz_file.read(path, ArtifactError, hint="; run `make export` again")
    layers, width = [], info.hidden
    for index, (outputs, activation) in enumerate(info.dense):
        expected = {f"weight_{index}": (width, outputs), f"bias_{index}": (outputs,)}
        for name, shape in expected.items():
            found = arrays.get(name)
            if found is None or found.shape != shape or found.dtype != np.float32:
                stated = "nothing" if found is None else f"{found.dtype} {found.shape}"
                raise ArtifactError(f"{path}: {name}: found {stated}, expected float32 {shape}")
            if not np.isfinite(found).all():
                raise ArtifactError(f"{path}: {name}: found NaN or infinity")
        weight, bias = (arrays[name] for name in expected)
        layers.append(DenseLayer(weight, bias, activation))
        width = outputs
    return layers
