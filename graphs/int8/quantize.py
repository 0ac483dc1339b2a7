"""Quantize linear layers to int8 products with constant scales, and tables to int8 rows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from core.build.plan import ActivationPlan, QuantizationPlan
from core.errors import GraphError
from core.untrusted.regular_file import naming
from graphs.edit import names, ops
from graphs.edit.chain import Chain
from graphs.int8 import activations, channel_order, head_change, instance, overflow
from graphs.int8.activations import Activation
from graphs.int8.rounding import copies_of, round_columns, round_rows
from graphs.int8.scales import MIDDLE, mean_of, shared_scale, zero_point
from graphs.int8.smooth import smooth

# The second term holds what the first rounded off, half a level to either side, and cut off: up to
# sixteen. An eighth of a level is exact in float32.
_SECOND_SCALE = np.float32(1 / 8)
_SECOND_ZERO_POINT = np.uint8(MIDDLE)

# An activation u8, its scale and its zero point.
Term = tuple[ir.Value, ir.Value, ir.Value]


def _terms(chain: Chain, value: ir.Value, plan: ActivationPlan, zero: int, scale: np.float32) -> list[Term]:
    """Quantize a smoothed activation; return its terms.

    A `scale` that all channels share is left to the rounding: after GELU in place of the multiplication
    before it, of a normalized activation in place of none.
    """
    one, point = chain.floats("scale", 1), chain.constant("zero_point", np.array(zero, np.uint8))
    divisor = one if scale == 1 else chain.floats("step", scale)
    scaled = value.producer() if scale != 1 and not plan.normalized else None
    source = value if scaled is None else scaled.inputs[0]
    first = chain.add("QuantizeLinear", [source, divisor, point], "u8")
    terms = [(first, divisor if plan.normalized else one, point)]
    if plan.mode == "int8x2":
        second_scale = chain.floats("second_scale", _SECOND_SCALE)
        second_point = chain.constant("second_zero_point", np.array(_SECOND_ZERO_POINT))
        kept = chain.add("DequantizeLinear", [first, one, point], "kept")
        rest = chain.add("Sub", [value, kept], "rest")
        second = chain.add("QuantizeLinear", [rest, second_scale, second_point], "second_u8")
        terms.append((second, second_scale, second_point))
    if not plan.split_channels:
        return terms
    copied = chain.integers("split_channels", copies_of(plan.split_channels))
    joined = []
    for number, (term, factor, middle) in enumerate(terms):
        copies = chain.add("Gather", [term, copied], f"copies_{number}", axis=1)
        joined.append((chain.add("Concat", [term, copies], f"joined_{number}", axis=1), factor, middle))
    return joined


def _lost(
    weight: NDArray[np.float32], rounded: NDArray[np.float32], plan: ActivationPlan, kind: str
) -> NDArray[np.float64]:
    """Return what rounding a weight `[k, n]` takes off the product's mean, float64 `[n]`."""
    mean_k = mean_of(plan, kind).astype(np.float64)
    mean = np.concatenate([mean_k, mean_k[copies_of(plan.split_channels)]])
    # A sum of rows, not a product: the same bits on every machine.
    lost: NDArray[np.float64] = (mean_k[:, None] * weight).sum(axis=0) - (mean[:, None] * rounded).sum(axis=0)
    return lost


def _product(
    chain: Chain,
    node: ir.Node,
    terms: list[Term],
    plan: ActivationPlan,
    kind: str,
    exchanged: NDArray[np.uint8] | None,
) -> None:
    """Replace a linear layer by an int8 product a term; its bias makes up for the rounding's mean."""
    weight, bias = ops.array(node, 1), ops.array(node, 2)
    with naming(str(node.name), GraphError, "", ValueError):
        integers, scale = round_columns(weight, plan.split_channels, exchanged)
    own = Chain(chain.graph, node, str(node.name))
    packed, scales = own.constant("weight_s8", integers), own.constant("weight_scale", scale)
    corrected = own.floats("bias_corrected", bias + _lost(weight, integers * scale, plan, kind))
    products = []
    for number, (quantized, factor, zero) in enumerate(terms):
        inputs = [quantized, packed, factor, scales, zero, None, *([] if number else [corrected])]
        name = "int8_second" if number else "int8"
        products.append(own.add("MatMulIntegerToFloat", inputs, name, ops.MICROSOFT))
    result = products[0] if len(products) == 1 else chain.add("Add", products, f"{node.name}_terms")
    node.outputs[0].replace_all_uses_with(result)
    chain.graph.remove(node, safe=True)


def _quantize(
    graph: ir.Graph, activation: Activation, plan: ActivationPlan, roundings: Mapping[str, NDArray[np.uint8]]
) -> int:
    """Quantize an activation, and the linear layers that read it; return how many products that makes."""
    zero, scale = zero_point(plan, activation.kind), shared_scale(plan, activation.kind)
    count = 0
    for number, value in enumerate(dict.fromkeys(ops.read(node) for node in activation.linears)):
        readers = [node for node in activation.linears if node.inputs[0] is value]
        prefix = f"{activation.name}{'_rows' if number else ''}"
        terms = _terms(Chain(graph, readers[0], prefix), value, plan, zero, scale)
        for reader in readers:
            bits = roundings.get(str(reader.name))
            _product(Chain(graph, reader, prefix), reader, terms, plan, activation.kind, bits)
            count += len(terms)
    if plan.normalized:
        instance.instance(graph, activation.value)
    return count


def _words(graph: ir.Graph) -> None:
    """`Gather` from the float32 word table → from int8 rows, and from their scales."""
    gather = names.node(graph, names.WORDS)
    integers, scale = round_rows(ops.array(gather, 0))
    table = ops.constant(graph, "word_embeddings_s8", integers)
    scales = ops.constant(graph, "word_embeddings_scale", scale)
    chain = Chain(graph, gather, names.WORDS)
    rows = chain.add("Gather", [table, gather.inputs[1]], "s8", axis=0)
    factors = chain.add("Gather", [scales, gather.inputs[1]], "scale", axis=0)
    if (groups := scale.shape[1]) > 1:
        # Each channel its group's, in whatever shape the rows come; exact, as a sum of one number and zeros.
        members = np.repeat(np.eye(groups, dtype=np.float32), integers.shape[1] // groups, axis=1)
        factors = chain.add("MatMul", [factors, chain.constant("groups", members)], "scales")
    floats = chain.cast(rows, ir.DataType.FLOAT, "float")
    gather.outputs[0].replace_all_uses_with(chain.add("Mul", [floats, factors], "row"))


def smoothed(model: ir.Model, plan: QuantizationPlan) -> dict[str, ActivationPlan]:
    """Bring a packed graph's weights to the units and the order in which they are rounded, in place.

    Returns:
        The plans as the graph now has them.

    Raises:
        GraphError: the graph's activations are not the plan's.
    """
    return channel_order.reorder(model, plan, overflow.widen(model, smooth(model, plan)))


def _products(model: ir.Model, plan: QuantizationPlan) -> int:
    """Quantize the linear layers of a packed graph, in place; return how many int8 products that makes."""
    head_change.change(model, plan.head)
    plans = smoothed(model, plan)
    return sum(
        _quantize(model.graph, activation, plans[activation.name], plan.roundings)
        for activation in activations.find(model)
        if plans[activation.name].mode != "float"
    )


def _finish(model: ir.Model) -> None:
    instance.every(model.graph)
    model.graph.sort()
    ops.remove_unused(model)


def with_float_words(model: ir.Model, plan: QuantizationPlan) -> int:
    """Quantize a packed graph as `quantize`, in place, but for the word table, which stays in float32.

    Returns:
        How many int8 products the graph has.

    Raises:
        GraphError: the graph's activations are not the plan's.
    """
    count = _products(model, plan)
    _finish(model)
    return count


def quantize(model: ir.Model, plan: QuantizationPlan) -> int:
    """Quantize a packed graph as a plan says, in place.

    In: a packed graph, float32. Out: per activation `QuantizeLinear` with a constant scale and zero point
    (u8), and `MatMulIntegerToFloat` with pair-safe s8 weights, a scale a column; the word table as s8 rows
    with a scale for each 64 channels. Activations in mode `float` and the positions stay as they are, and the
    head but for the plan's change. No scale depends on the input, so a text's answer does not depend on its
    batch. Each rounding errs by three quarters of a scale at most, where it does not cut off.

    Returns:
        How many int8 products the graph has.

    Raises:
        GraphError: the graph's activations are not the plan's.
    """
    count = _products(model, plan)
    _words(model.graph)
    _finish(model)
    return count
