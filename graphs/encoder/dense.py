"""Add the linear layers between pooling and normalization."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from core.build.dense import DenseLayer
from graphs.edit.chain import Chain


def dense(chain: Chain, embedding: ir.Value, layers: Sequence[DenseLayer]) -> ir.Value:
    """Append a `Gemm` a layer, and `Tanh` where it has one; `[b, h]` → `[b, outputs of the last]`."""
    for index, layer in enumerate(layers):
        name = f"dense_{index}"
        parameters = [
            chain.constant(f"{name}_weight", layer.weight_io),
            chain.constant(f"{name}_bias", layer.bias_o),
        ]
        embedding = chain.add("Gemm", [embedding, *parameters], name)
        if layer.activation == "tanh":
            embedding = chain.add("Tanh", [embedding], f"{name}_tanh")
    return embedding
