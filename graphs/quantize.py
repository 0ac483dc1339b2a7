"""Quantizing: float32 matrix products to int8."""

from __future__ import annotations

import logging
import tempfile
from collections import Counter
from pathlib import Path

import onnx_ir as ir
from onnx import TensorProto
from onnxruntime.quantization import QuantType, quantize_dynamic

QUANTIZATION = "dynamic int8 per channel"


def quantize(model: ir.Model, head_node: str) -> tuple[ir.Model, int]:
    """Quantize the encoder's weights to int8 per channel, activations when the graph runs.

    In: `MatMul` and `Attention` with constant weights, `Gather` from a float table. Out:
    `DynamicQuantizeLinear` with `MatMulInteger`, `QAttention`, and `Gather` with a
    `DequantizeLinear`; the node called `head_node` stays float. An activation has one scale a
    tensor, so a text's answer depends on the batch it is in, and the error has no bound but the
    recipe's gate.

    Returns:
        The quantized model, and how many matrix products and attentions it quantized.
    """
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        ir.save(model, source)
        # It advises shape inference on the root logger; the fuser has done that.
        logging.disable(logging.WARNING)
        quantize_dynamic(
            source,
            target,
            per_channel=True,
            weight_type=QuantType.QInt8,
            # A few columns cost nothing and decide everything; the tool splits a Gemm before it looks.
            nodes_to_exclude=[head_node, f"{head_node}_MatMul"],
            # The contrib operators' outputs have no inferred type; pooling multiplies no weight.
            extra_options={"DefaultTensorType": TensorProto.FLOAT, "MatMulConstBOnly": True},
        )
        logging.disable(logging.NOTSET)
        result = ir.from_proto(ir.to_proto(ir.load(target)))
    counts = Counter(node.op_type for node in result.graph)
    integer = ("MatMulInteger", "MatMulIntegerToFloat", "DynamicQuantizeMatMul", "QAttention")
    return result, sum(counts[name] for name in integer)
