"""Quantizing: linear layers to int8 products with constant scales, tables to int8 rows."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from core.build.plan import Plan, Site
from core.errors import GraphError
from graphs.edit import ops
from graphs.edit.chain import Chain
from graphs.int8 import activations, instance, overflow
from graphs.int8.activations import SiteNodes
from graphs.int8.rounding import copies_of, round_columns
from graphs.int8.scales import MIDDLE, mean_of, shared_step, zero_point
from graphs.int8.smooth import smooth

_WORDS = "word_embedding"
# The second term holds what the first rounded off, half a step to either side, and cut off: up to
# sixteen. An eighth of a step is exact in float32.
_SECOND_STEP = 1 / 8
_SECOND_ZERO_POINT = MIDDLE


def _terms(
    chain: Chain, value: ir.Value, site: Site, zero: int, step: np.float32
) -> list[tuple[ir.Value, ir.Value, ir.Value]]:
    """Quantize an activation in steps; return each term with its scale and zero point.

    A `step` that all channels share is left to the rounding: after GELU in place of the multiplication
    before it, of a normalized site in place of none.
    """

    def scalar(name: str, number: np.generic) -> ir.Value:
        return ops.constant(chain.graph, f"{chain.prefix}_{name}", np.array(number))

    one, point = scalar("scale", np.float32(1)), scalar("zero_point", np.uint8(zero))
    divisor = one if step == 1 else scalar("step", step)
    scaled = value.producer() if step != 1 and not site.normalized else None
    source = value if scaled is None else scaled.inputs[0]
    first = chain.add("QuantizeLinear", [source, divisor, point], "u8")
    found = [(first, divisor if site.normalized else one, point)]
    if site.mode == "int8x2":
        scale = scalar("second_scale", np.float32(_SECOND_STEP))
        middle = scalar("second_zero_point", np.uint8(_SECOND_ZERO_POINT))
        kept = chain.add("DequantizeLinear", [first, one, point], "kept")
        rest = chain.add("Sub", [value, kept], "rest")
        found.append((chain.add("QuantizeLinear", [rest, scale, middle], "second_u8"), scale, middle))
    if not site.split_channels:
        return found
    copied = chain.integers("split_channels", copies_of(site.split_channels))
    joined = []
    for number, (term, scale, middle) in enumerate(found):
        copies = chain.add("Gather", [term, copied], f"copies_{number}", axis=1)
        joined.append((chain.add("Concat", [term, copies], f"joined_{number}", axis=1), scale, middle))
    return joined


def _product(
    chain: Chain,
    node: ir.Node,
    terms: list[tuple[ir.Value, ir.Value, ir.Value]],
    nodes: SiteNodes,
    site: Site,
    bits: int,
) -> None:
    """Replace a linear layer by an int8 product a term; its bias makes up for the rounding's mean."""
    if node.inputs[1] is None or node.inputs[2] is None:
        raise GraphError(f"{node.name}: expected a weight and a bias")
    weight, bias = ops.array_of(node.inputs[1]), ops.array_of(node.inputs[2])
    integers, scale = round_columns(weight, bits, site.split_channels)
    mean_k = mean_of(site, nodes.kind).astype(np.float64)
    mean = np.concatenate([mean_k, mean_k[copies_of(site.split_channels)]])
    # A sum of rows, not a product: the same bits on every machine.
    lost = (mean_k[:, None] * weight).sum(axis=0) - (mean[:, None] * (integers * scale)).sum(axis=0)
    packed = ops.constant(chain.graph, f"{node.name}_weight_s8", integers)
    scales = ops.constant(chain.graph, f"{node.name}_weight_scale", scale)
    offset = ops.constant(chain.graph, f"{node.name}_bias_corrected", (bias + lost).astype(np.float32))
    products = []
    for number, (quantized, step, zero) in enumerate(terms):
        made = ops.node(
            "MatMulIntegerToFloat",
            [quantized, packed, step, scales, zero, None, *([offset] if number == 0 else [])],
            f"{node.name}_int8" + ("_second" if number else ""),
            domain=ops.MICROSOFT,
        )
        chain.graph.insert_before(node, made)
        products.append(made.outputs[0])
    result = products[0] if len(products) == 1 else chain.add("Add", products, f"{node.name}_terms")
    node.outputs[0].replace_all_uses_with(result)
    chain.graph.remove(node, safe=True)


def _words(graph: ir.Graph) -> None:
    """`Gather` from the float32 word table → from int8 rows, and from their scales."""
    gather = next((node for node in graph if node.name == _WORDS), None)
    if gather is None or gather.inputs[0] is None:
        raise GraphError(f"found no node {_WORDS}")
    integers, scale = round_columns(np.ascontiguousarray(ops.array_of(gather.inputs[0]).T), 8)
    table = ops.constant(graph, "word_embeddings_s8", np.ascontiguousarray(integers.T))
    scales = ops.constant(graph, "word_embeddings_scale", scale[:, None])
    chain = Chain(graph, gather, _WORDS)
    rows = chain.add("Gather", [table, gather.inputs[1]], "s8", axis=0)
    factors = chain.add("Gather", [scales, gather.inputs[1]], "scale", axis=0)
    floats = chain.add("Cast", [rows], "float", to=ir.DataType.FLOAT)
    gather.outputs[0].replace_all_uses_with(chain.add("Mul", [floats, factors], "row"))


def quantize(model: ir.Model, plan: Plan) -> int:
    """Quantize a packed graph as a plan says, in place.

    In: a packed graph, float32. Out: per site `QuantizeLinear` with a constant scale and zero point
    (u8), and `MatMulIntegerToFloat` with s8 weights, a scale a column; the word table as s8 rows with
    a scale a row. Sites in mode `float`, the head and the positions stay as they are. No scale
    depends on the input, so a text's answer does not depend on its batch.

    Returns:
        How many int8 products the graph has.

    Raises:
        GraphError: the graph's sites are not the plan's.
    """
    graph = model.graph
    smoothed = overflow.widen(model, smooth(model, plan))
    count = 0
    for nodes in activations.find(model):
        site = smoothed[nodes.name]
        if site.mode == "float":
            continue
        zero = zero_point(site, nodes.kind)
        inputs = dict.fromkeys(node.inputs[0] for node in nodes.linears if node.inputs[0] is not None)
        for number, value in enumerate(inputs):
            readers = [node for node in nodes.linears if node.inputs[0] is value]
            chain = Chain(graph, readers[0], f"{nodes.name}{'_rows' if number else ''}")
            terms = _terms(chain, value, site, zero, shared_step(site, nodes.kind))
            for reader in readers:
                _product(Chain(graph, reader, chain.prefix), reader, terms, nodes, site, plan.weight_bits)
                count += len(terms)
        if site.normalized:
            instance.instance(graph, nodes.value)
    _words(graph)
    graph.sort()
    ops.remove_unused(model)
    return count
