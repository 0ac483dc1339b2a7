"""Store and compute an encoder in float16, and what follows it in float32."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from onnx_ir.passes.common import ShapeInferencePass

from core.errors import GraphError
from graphs.edit import names, ops
from graphs.edit.chain import Chain

_FLOAT, _HALF = ir.DataType.FLOAT, ir.DataType.FLOAT16
_LARGEST = float(np.finfo(np.float16).max)


def _encoder(graph: ir.Graph) -> set[ir.Node]:
    """Return the nodes of the layers, and all that is computed for them."""
    layers = {node for node in graph if names.in_layer(node)}
    if not layers:
        raise GraphError("found no encoder's layer")
    read = [value for node in layers for value in node.inputs if value is not None]
    before = {value.producer() for start in read for value in ops.ancestors(start)}
    return layers | {node for node in before if node is not None}


def _constant(graph: ir.Graph, value: ir.Value) -> ir.Value:
    """Register a constant in float16.

    Raises:
        GraphError: a number of it is beyond float16's.
    """
    array = ops.array_of(value)
    if array.size and not abs(array).max() <= _LARGEST:
        raise GraphError(
            f"{value.name}: found {abs(array).max():g}, expected at most {_LARGEST:g}, float16's"
        )
    return ops.constant(graph, f"{value.name}_half", array.astype(np.float16))


def half(model: ir.Model) -> int:
    """Compute the encoder's layers in float16, in place; poolings, head and thresholds stay in float32.

    In: a graph of standard operators in float32. Out: its constants up to the last layer are float16, and a
    `Cast` makes float32 of each hidden state that is pooled. Each operator errs by 2^-11 of its result.

    Returns:
        How many constants became float16.

    Raises:
        GraphError: a constant is beyond float16's range, or the graph has no layers.
    """
    graph = model.graph
    ShapeInferencePass()(model)
    encoder = _encoder(graph)
    constants: dict[ir.Value, ir.Value] = {}
    handed: dict[ir.Value, list[tuple[ir.Node, int]]] = {}
    for node in graph:
        for index, value in enumerate(node.inputs):
            if value is None or value.dtype != _FLOAT:
                continue
            if value.is_initializer() and node in encoder:
                if value not in constants:
                    constants[value] = _constant(graph, value)
                node.replace_input_with(index, constants[value])
            elif value.producer() in encoder and node not in encoder:
                handed.setdefault(value, []).append((node, index))
        if node in encoder and node.op_type == "Cast" and node.attributes["to"].as_int() == _FLOAT:
            node.attributes["to"] = ir.AttrInt64("to", _HALF)
    for value, readers in handed.items():
        whole = Chain(graph, readers[0][0]).cast(value, _FLOAT, f"{value.name}_whole")
        for node, index in readers:
            node.replace_input_with(index, whole)
    graph.sort()
    ops.remove_unused(model)
    for value in {value for node in graph for value in node.outputs} - set(graph.outputs):
        value.type = value.shape = None  # said of float32
    return len(constants)
