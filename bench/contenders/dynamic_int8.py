"""Make the graph of the contender `optimum`: the fused graph in dynamic int8.

optimum quantizes it in the environment that `python -m requirements.install` makes (`make
.venv-optimum/installed`); here that environment is only used. Where it is not there, or fails, onnxruntime's
quantization with the same settings stands in, and a JSON file beside the graph says which it was, and why.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from bench.contenders import environment
from core.disk.files import replacing, write_text
from core.errors import GraphError

_SCRIPT = Path(__file__).with_name("optimum_script.py")
_STAMP = "installed"


@dataclass(frozen=True)
class Quantizer:
    """Who quantized: `reason` says why it was not optimum."""

    way: Literal["optimum-onnx", "onnxruntime"]
    versions: dict[str, str]
    reason: str | None


def _with_optimum(source: Path, target: Path, folder: Path | None) -> dict[str, str]:
    """Run optimum on `source`; return the versions of what did it.

    Raises:
        GraphError: there is no such environment, or optimum fails; the message ends with the last line it
        wrote.
    """
    if folder is None:
        raise GraphError("no environment for optimum was asked for")
    if not (folder / _STAMP).is_file():
        raise GraphError(f"{folder}: optimum is not installed there")
    command = [folder.absolute() / "bin" / "python", _SCRIPT, source, target]
    versions: dict[str, str] = json.loads(environment.output(folder, command, GraphError).splitlines()[-1])
    return versions


def _with_onnxruntime(source: Path, target: Path) -> None:
    """Quantize weights to int8 per channel, and activations when the graph runs.

    In: `MatMul`, `Gemm` and `Attention`, `Gather` from a float table. Out: `DynamicQuantizeLinear`
    with `MatMulInteger`, `QAttention`, and `Gather` with a `DequantizeLinear`. An activation has one
    scale per tensor, so a text's answer depends on the batch it is in.
    """
    # Not before they are needed: they take a second to import.
    from onnx import TensorProto
    from onnxruntime.quantization import QuantType, quantize_dynamic

    # It advises shape inference on the root logger; the fuser has done that.
    logging.disable(logging.WARNING)
    quantize_dynamic(
        source,
        target,
        per_channel=True,
        weight_type=QuantType.QInt8,
        # The contrib operators' outputs may have no inferred type; the preset takes every product.
        extra_options={"DefaultTensorType": TensorProto.FLOAT, "MatMulConstBOnly": False},
    )
    logging.disable(logging.NOTSET)


def quantize(source: Path, target: Path, folder: Path | None) -> Quantizer:
    """Write `source` in dynamic int8 to `target`, and who did it to the JSON file beside it.

    `folder` is optimum's environment.

    Raises:
        GraphError: there is no `source`.
    """
    if not source.is_file():
        raise GraphError(f"{source}: no such file")
    with replacing(target) as temporary:
        try:
            made = Quantizer("optimum-onnx", _with_optimum(source, temporary, folder), None)
        except GraphError as error:
            _with_onnxruntime(source, temporary)
            made = Quantizer("onnxruntime", {"onnxruntime": version("onnxruntime")}, str(error))
    write_text(target.with_suffix(".json"), json.dumps(asdict(made), indent=2) + "\n")
    return made
