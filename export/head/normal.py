"""Rewrite a head's graph so that its answers are tensors in one of three layouts.

They are one `(N, 2)` output a label (no and yes, named as the label), one `(N, labels)` tensor, or a
sequence of `(N, 2)`. What the answers don't need is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from export.head.layout import Layout


@dataclass(frozen=True)
class Normal:
    """A head's graph, with its outputs in the order of `order`; of columns where there is one tensor."""

    model: onnx.ModelProto
    layout: Literal["named", "columns", "sequence"]
    outputs: list[str]
    order: list[str]


def _inner(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    for attribute in node.attribute:
        yield from [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]


def _reads(node: onnx.NodeProto) -> set[str]:
    """Return what a node reads, with all graphs inside it."""
    return set(node.input).union(*(_reads(inside) for graph in _inner(node) for inside in graph.node))


def needed(graph: onnx.GraphProto, outputs: Sequence[str]) -> list[onnx.NodeProto]:
    """Return the nodes that some values are computed by, in their order."""
    wanted, nodes = set(outputs), []
    for node in reversed(graph.node):
        if wanted & set(node.output):
            wanted |= _reads(node)
            nodes.append(node)
    return nodes[::-1]


class _Editor:
    """Appends nodes to a graph."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self._graph = graph
        self._names = {value.name for value in [*graph.input, *graph.initializer]}
        self._names |= {name for node in graph.node for name in node.output}

    def name(self, wanted: str) -> str:
        """Return a name that nothing has, and take it."""
        while wanted in self._names:
            wanted += "_"
        self._names.add(wanted)
        return wanted

    def integers(self, values: list[int]) -> str:
        """Return the name of a new constant."""
        name = self.name("integers")
        self._graph.initializer.append(numpy_helper.from_array(np.array(values, np.int64), name))
        return name

    def add(self, operator: str, inputs: list[str], output: str, axis: int | None = None) -> str:
        """Append a node; return its output's name."""
        node = helper.make_node(operator, inputs, [output])
        if axis is not None:
            node.attribute.append(helper.make_attribute("axis", axis))
        self._graph.node.append(node)
        return output

    def rename(self, old: str) -> str:
        """Give a value that a node makes another name, wherever it is read; return that."""
        new = self.name(f"{old}_own")
        for node in self._graph.node:
            _rename(node, old, new)
        return new

    def turned(self, pair: str, output: str) -> str:
        """Append the two columns of a pair the other way round."""
        return self.add("Gather", [pair, self.integers([1, 0])], output, axis=1)


def _rename(node: onnx.NodeProto, old: str, new: str) -> None:
    for names in (node.input, node.output):
        names[:] = [new if name == old else name for name in names]
    for graph in _inner(node):
        for inside in graph.node:
            _rename(inside, old, new)


def _pairs(editor: _Editor, layout: Layout) -> list[str]:
    for output, label, yes in zip(layout.outputs, layout.order, layout.yes, strict=True):
        if yes == 0:
            own = editor.rename(output) if output == label else output
            editor.turned(own, label)
        elif output != label:
            editor.add("Identity", [output], label)
    return layout.order


def _sequence(editor: _Editor, graph: onnx.GraphProto, layout: Layout) -> list[str]:
    if all(layout.yes):
        return layout.outputs
    node = next(node for node in graph.node if layout.outputs[0] in node.output)
    turned = [
        pair if yes else editor.turned(pair, editor.name("turned"))
        for pair, yes in zip(node.input, layout.yes, strict=True)
    ]
    return [editor.add("SequenceConstruct", turned, editor.name("pairs"))]


def _vectors(editor: _Editor, layout: Layout) -> list[str]:
    shape = editor.integers([-1, 1])
    columns = [editor.add("Reshape", [name, shape], editor.name("column")) for name in layout.outputs]
    return [editor.add("Concat", columns, editor.name("columns"), axis=1)]


def _typed(name: str, kind: str, element: int, width: int) -> onnx.ValueInfoProto:
    tensor = helper.make_tensor_type_proto(element, ["N", width])
    stated = helper.make_sequence_type_proto(tensor) if kind == "sequence" else tensor
    return helper.make_value_info(name, stated)


def normalise(model: onnx.ModelProto, layout: Layout) -> Normal:
    """Return a head whose outputs are as the merge takes them; what it computes stays as it is.

    In: any layout. Out: dictionaries are the tensor they were made of, values a label one tensor, pairs no
    and yes.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    graph = copy.graph
    editor = _Editor(graph)
    kind: Literal["named", "columns", "sequence"] = "columns"
    outputs = layout.outputs
    if layout.form == "pairs":
        kind, outputs = "named", _pairs(editor, layout)
    elif layout.form == "sequence":
        kind, outputs = "sequence", _sequence(editor, graph, layout)
    elif layout.form == "vectors":
        outputs = _vectors(editor, layout)
    elif layout.form == "maps":
        outputs = [next(node.input[0] for node in graph.node if outputs[0] in node.output)]
    _keep(graph, outputs)
    element = TensorProto.DOUBLE if layout.double else TensorProto.FLOAT
    width = len(layout.order) if kind == "columns" else 2
    graph.output.extend(_typed(name, kind, element, width) for name in outputs)
    return Normal(copy, kind, outputs, layout.order)


def _keep(graph: onnx.GraphProto, outputs: Sequence[str]) -> None:
    """Leave what some values need, and no outputs; files of an IR before 4 list constants as inputs."""
    nodes = needed(graph, outputs)
    read = set(outputs).union(*map(_reads, nodes))
    constants = {tensor.name for tensor in graph.initializer}
    for field, items in (
        (graph.node, nodes),
        (graph.initializer, [tensor for tensor in graph.initializer if tensor.name in read]),
        (graph.input, [value for value in graph.input if value.name not in constants]),
    ):
        copies = [type(item)() for item in items]
        for copy, item in zip(copies, items, strict=True):
            copy.CopyFrom(item)
        del field[:]
        field.extend(copies)
    del graph.output[:]
