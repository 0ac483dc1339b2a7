"""Take apart the fused operators that the runtime computes slower than their parts."""

from __future__ import annotations

import onnx_ir as ir

from core.errors import GraphError
from graphs.edit import names, ops
from graphs.edit.chain import Chain

LINEARS = ("attention_output", "up", "down")


def _gemm(chain: Chain, node: ir.Node, bias: ir.Value | None, name: str) -> ir.Value:
    """Insert the linear layer whose `MatMul` a node reads, before that product."""
    product = ops.read(node).producer()
    if product is None or product.op_type != "MatMul":
        before = (product.name, product.op_type) if product is not None else (node.name, "no product")
        raise GraphError(f"{before[0]}: found {before[1]}, expected the MatMul of a linear layer")
    weight = chain.constant(f"{name}_weight", ops.array(product, 1))
    return Chain(chain.graph, product, chain.prefix).add("Gemm", [product.inputs[0], weight, bias], name)


def _normalization(chain: Chain, node: ir.Node, linear: str, name: str) -> None:
    """`SkipLayerNormalization(MatMul(x, w), skip, gamma, beta, bias)` → Gemm, Add, LayerNormalization."""
    if len(node.inputs) != 5 or node.inputs[4] is None:
        raise GraphError(f"{node.name}: found {len(node.inputs)} inputs, expected 5")
    _, skip, gamma, beta, bias = node.inputs
    added = chain.add("Add", [_gemm(chain, node, bias, linear), skip], f"{name}_sum")
    epsilon = node.attributes.get_float("epsilon", 1e-12)
    normalized = chain.add("LayerNormalization", [added, gamma, beta], name, axis=-1, epsilon=epsilon)
    node.outputs[0].replace_all_uses_with(normalized)


def _gelu(chain: Chain, node: ir.Node) -> None:
    """`BiasGelu(MatMul(x, w), bias)` → Gemm, Gelu."""
    bias = node.inputs[1]
    if bias is None:
        raise GraphError(f"{node.name}: found no bias")
    gelu = chain.add("Gelu", [_gemm(chain, node, bias, "up")], "gelu", ops.MICROSOFT)
    node.outputs[0].replace_all_uses_with(gelu)


def unfuse(model: ir.Model) -> int:
    """Take apart `SkipLayerNormalization` and `BiasGelu` of a packed graph, and join MatMul and bias.

    In: per layer `MatMul, SkipLayerNormalization, MatMul, BiasGelu, MatMul,
    SkipLayerNormalization`. Out: `Gemm, Add, LayerNormalization, Gemm, Gelu, Gemm, Add,
    LayerNormalization`, called `layer_N_attention_output`, `layer_N_up`, `layer_N_down`, …. The same
    sums: equal up to rounding. onnxruntime 1.32 takes six times as long for the fused normalization.

    Returns:
        How many linear layers were made.

    Raises:
        GraphError: the graph is not of that form.
    """
    graph = model.graph
    skips, gelus = ops.nodes_of(graph, "SkipLayerNormalization"), ops.nodes_of(graph, "BiasGelu")
    if ops.nodes_of(graph, "Attention"):
        raise GraphError("found Attention, expected a packed graph")
    if not gelus or len(skips) != 2 * len(gelus):
        raise GraphError(
            f"found {len(skips)} SkipLayerNormalization and {len(gelus)} BiasGelu, expected 2 : 1"
        )
    for number, gelu in enumerate(gelus):
        layer = names.LAYER.format(number)
        first, second = skips[2 * number : 2 * number + 2]
        _normalization(Chain(graph, first, layer), first, "attention_output", "attention_norm")
        _gelu(Chain(graph, gelu, layer), gelu)
        _normalization(Chain(graph, second, layer), second, "down", "norm")
    ops.remove_unused(model)
    return len(LINEARS) * len(gelus)
