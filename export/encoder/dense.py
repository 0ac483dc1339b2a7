"""Read sentence-transformers' Dense modules: a linear layer after the pooling, with or without Tanh."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from core.build.dense import DenseLayer
from core.contract import WEIGHTS_FILE, DenseActivation
from core.errors import CheckpointError
from core.untrusted import json_file, limits, weights_file
from export.encoder.module_settings import SENTENCES, check_sentences, refuse_unknown

WEIGHT, BIAS = "linear.weight", "linear.bias"
# By the names that sentence-transformers saves; Tanh is its own default.
_TANH = "torch.nn.modules.activation.Tanh"
_ACTIVATIONS: dict[str, DenseActivation] = {"torch.nn.modules.linear.Identity": "identity", _TANH: "tanh"}
_KEYS = {"in_features", "out_features", "bias", "activation_function", "use_residual", *SENTENCES}


class DenseModule(NamedTuple):
    """A Dense module as its `config.json` states it; `folder` is the checkpoint's, `inside` its own in it."""

    folder: Path
    inside: str
    inputs: int
    outputs: int
    bias: bool
    activation: DenseActivation

    @property
    def weights_name(self) -> str:
        """Where its weights are in the checkpoint."""
        return str(PurePosixPath(self.inside, WEIGHTS_FILE))

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name → shape of its weights."""
        shapes: dict[str, tuple[int, ...]] = {WEIGHT: (self.outputs, self.inputs)}
        return shapes | ({BIAS: (self.outputs,)} if self.bias else {})

    def arrays(self) -> dict[str, np.ndarray]:
        """Read its weights, float32: `linear.weight` `[outputs, inputs]`, `linear.bias` `[outputs]`.

        Raises:
            CheckpointError: damaged, not of float32, float16 or float64, or a number is not finite.
        """
        path = self.folder / self.weights_name
        stored, _ = weights_file.read_small(path, 2 * limits.DENSE_BYTES + limits.WEIGHTS_HEADER_BYTES)
        with np.errstate(over="ignore"):
            arrays = {name: stored[name].astype(np.float32) for name in self.shapes}
        for name, array in arrays.items():
            if not np.isfinite(array).all():
                raise CheckpointError(f"{path}: {name}: found a number that float32 does not hold")
        return arrays


def _width(path: Path, config: dict[str, Any], key: str) -> int:
    value = config.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= limits.HIDDEN:
        expected = f"expected a positive whole number, at most {limits.HIDDEN:,}"
        raise CheckpointError(f"{path}: {key}: found {value!r}, {expected}")
    return value


def read(folder: Path, inside: str) -> DenseModule:
    """Read a Dense module's `config.json`.

    Raises:
        CheckpointError: it is damaged, a key is unknown, or says what is not supported.
    """
    path = folder / inside / "config.json"
    config = json_file.read_object(path, CheckpointError)
    refuse_unknown(path, config, _KEYS)
    # Where the output's name is null, it is the input's.
    optional = {"module_output_name"} if config.get("module_output_name") is None else set()
    check_sentences(path, {key: value for key, value in config.items() if key not in optional})
    for key, default in (("bias", True), ("use_residual", False)):
        if not isinstance(config.get(key, default), bool):
            raise CheckpointError(f"{path}: {key}: found {config[key]!r}, expected true or false")
    if config.get("use_residual"):
        raise CheckpointError(f"{path}: use_residual: found True, expected False")
    activation = config.get("activation_function", _TANH)
    if not isinstance(activation, str) or activation not in _ACTIVATIONS:
        expected = " or ".join(map(repr, _ACTIVATIONS))
        raise CheckpointError(f"{path}: activation_function: found {activation!r}, expected {expected}")
    inputs, outputs = (_width(path, config, key) for key in ("in_features", "out_features"))
    return DenseModule(folder, inside, inputs, outputs, config.get("bias", True), _ACTIVATIONS[activation])


def check(modules: Sequence[DenseModule], hidden: int) -> int:
    """Check that the modules and their weights fit each other and the encoder's width.

    Returns:
        The width of the last one's result, or the encoder's.

    Raises:
        CheckpointError: they do not, weights are missing or damaged, or all together are too large.
    """
    width = hidden
    for module in modules:
        config = module.folder / module.inside / "config.json"
        if module.inputs != width:
            raise CheckpointError(f"{config}: in_features: found {module.inputs}, expected {width}")
        path = module.folder / module.weights_name
        pickle = path.with_name("pytorch_model.bin")
        if not path.is_file() and pickle.is_file():
            raise CheckpointError(
                f"{path.parent}: has only pytorch_model.bin, a pickle, which is never loaded; convert it "
                "where you trust it: SentenceTransformer(FOLDER).save(FOLDER)"
            )
        found = weights_file.shapes(path)
        if found != module.shapes:
            raise CheckpointError(f"{path}: found tensors {found}, expected {module.shapes} by {config}")
        width = module.outputs
    size = sum(4 * (module.inputs + 1) * module.outputs for module in modules)
    if size > limits.DENSE_BYTES:
        found_in = f"{modules[0].folder}: found Dense modules of {size:,} bytes"
        raise CheckpointError(f"{found_in}, expected at most {limits.DENSE_BYTES:,}")
    return width


def layers(modules: Sequence[DenseModule]) -> list[DenseLayer]:
    """Return the modules as the graph stages have them.

    Raises:
        CheckpointError: as `DenseModule.arrays`.
    """
    made = []
    for module in modules:
        arrays = module.arrays()
        bias = arrays.get(BIAS, np.zeros(module.outputs, np.float32))
        made.append(DenseLayer(np.ascontiguousarray(arrays[WEIGHT].T), bias, module.activation))
    return made
