"""Fuse the exporter's small operators to onnxruntime's attention, normalization and GELU."""

from __future__ import annotations

from collections import Counter

import onnx_ir as ir
from onnxscript.optimizer import optimize
from onnxscript.rewriter.ort_fusions import optimize_for_ort

from graphs.edit import ops
from graphs.edit.chain import Chain

# Attention joins the q, k and v weights of a layer in a Concat that the folder's own limit leaves.
_FOLD_LIMIT_BYTES = 1 << 30
_SIZES = "qkv_hidden_sizes"


def _split(model: ir.Model) -> None:
    """Take the embeddings' normalization apart again where it was fused with their sum.

    In: `SkipLayerNormalization(a, b, scale, bias)` below every attention. Out: `Add`, `LayerNormalization`.
    It is fused where positions are `[b, s, h]`, as RoBERTa's.
    """
    graph = model.graph
    for node in ops.nodes_of(graph, "SkipLayerNormalization"):
        below = {value.producer() for value in ops.ancestors(node.outputs[0])}
        if any(other is not None and other.op_type == "Attention" for other in below):
            continue
        chain = Chain(graph, node)
        total = chain.add("Add", list(node.inputs[:2]), "embedding_total")
        epsilon = node.attributes.get_float("epsilon", 1e-12)
        inputs = [total, *node.inputs[2:4]]
        normalized = chain.add("LayerNormalization", inputs, "embedding_norm", axis=-1, epsilon=epsilon)
        ops.replace(node.outputs[0], normalized)
        graph.remove(node, safe=True)


def fuse(model: ir.Model) -> dict[str, int]:
    """Fuse an exported encoder in place.

    In: the nodes of `torch.onnx.export(dynamo=True)`. Out: per layer one `Attention`, two
    `SkipLayerNormalization` and one `BiasGelu` (com.microsoft) besides the matrix products. The
    same sums in another order: equal up to float32 rounding.

    Returns:
        How many of each fused operator the graph now has.
    """
    optimize_for_ort(model, clear_metadata=True)
    optimize(
        model,
        onnx_shape_inference=False,
        input_size_limit=_FOLD_LIMIT_BYTES,
        output_size_limit=_FOLD_LIMIT_BYTES,
    )
    for node in model.graph:
        # A normalization's further outputs are computed where they exist, read or not.
        used = [index for index, value in enumerate(node.outputs) if value.uses() or value.is_graph_output()]
        node.resize_outputs(max(used, default=0) + 1)
        if node.op_type == "Attention" and len(set(node.attributes.get_ints(_SIZES, (1,)))) == 1:
            # Said where it is the default; onnxruntime's quantizer then leaves the node alone.
            node.attributes.pop(_SIZES, None)
    _split(model)
    counts = Counter(node.op_type for node in model.graph)
    return {name: counts[name] for name in ("Attention", "SkipLayerNormalization", "BiasGelu")}
