"""Dynamic int8 without optimum: what its avx512_vnni preset asks of onnxruntime, asked directly."""

from __future__ import annotations

import logging
from pathlib import Path

from onnx import TensorProto
from onnxruntime.quantization import QuantType, quantize_dynamic


def quantize(source: Path, target: Path) -> None:
    """Quantize a graph's weights to int8 per channel, activations when the graph runs.

    In: `MatMul`, `Gemm` and `Attention`, `Gather` from a float table. Out: `DynamicQuantizeLinear`
    with `MatMulInteger`, `QAttention`, and `Gather` with a `DequantizeLinear`. An activation has one
    scale a tensor, so a text's answer depends on the batch it is in.
    """
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
