"""Add a branch for batches without padding, a text alone among them: these need no layout."""

from __future__ import annotations

import onnx_ir as ir

from core.contract import ATTENTION_MASK, INPUT_IDS
from graphs.edit import names, ops
from graphs.edit.chain import Chain
from graphs.unpadded import qattention, rows, transposed

_PREFIX, _PADDED = "unpadded", "padded"
_INT64 = ir.DataType.INT64


def _context(
    graph: ir.Graph, layer: str, group: str, fused: list[str], shape: ir.Value, context_shape: ir.Value
) -> ir.Value:
    """Append a layer's attention without padding in place of a group's; return the contexts."""
    if layer in fused:
        context = qattention.attend(graph, layer, _PREFIX)
    else:
        context = transposed.attend(graph, f"{layer}_{group}", _PREFIX, shape, context_shape)
    joined = f"{layer}_context_joined" if group == names.LONG else f"{layer}_{group}_context_joined"
    names.node(graph, joined).outputs[0].replace_all_uses_with(context)
    return context


def _without_layout(model: ir.Model, fused: list[str]) -> None:
    """Rewrite a packed graph for rows without padding, in place. Exact to the bit.

    Token-wise nodes then run on `[b, s, k]`.
    """
    graph = model.graph
    ids, mask = (ops.input_named(graph, name) for name in (INPUT_IDS, ATTENTION_MASK))
    nodes, chain = list(graph), Chain(graph, graph[0], _PREFIX)
    first = chain.integers("first", [0])
    shape = chain.add("Shape", [mask], "shape")
    length = chain.add("Shape", [mask], "length", start=1, end=2)
    row_shape = chain.add("Concat", [shape, chain.integers("rest", [-1])], "row_shape", axis=0)
    # Ends with the table: a longer text meets too few positions in the sum, and is an error.
    table = ops.read(names.node(graph, names.POSITION_ROWS))
    counted = names.find(graph, names.TOKEN_NUMBERS)
    known = {
        names.GIVEN_IDS: ids,
        names.VALID: chain.add("Equal", [mask, mask], "valid"),
    }
    if counted is None:
        known[names.POSITION_ROWS] = chain.add("Slice", [table, first, length, first], "positions")
    else:
        own = Chain(graph, names.node(graph, names.POSITION_ROWS), _PREFIX)
        known[names.POSITION_ROWS] = own.add("Gather", [table, counted.outputs[0]], "positions", axis=0)
    numbers = [chain.floats(str(number), number) for number in (1, 0)]
    scales = [chain.add("Expand", [number, length], f"{number.name}_of_columns") for number in numbers]
    # Only poolings of a first token read it.
    starts, start = names.find(graph, names.STARTS), chain.integers("start", 0)
    firsts = {use.node for use in starts.outputs[0].uses()} if starts is not None else set()
    context_shape = chain.integers("context_shape", [-1, ops.array_of(table).shape[1]])
    given = set(names.node(graph, names.EMBEDDINGS).outputs)
    for node in nodes:
        name = str(node.name)
        if name in known:
            node.outputs[0].replace_all_uses_with(known[name])
        if match := names.MASKED_SCORES.fullmatch(name):
            # The attention of the long rows stands for all; that of the short ones goes.
            layer, group = match.groups()
            is_long = group == names.LONG
            context = _context(graph, layer, group, fused, shape, row_shape if is_long else context_shape)
            if is_long and layer not in fused:
                given.add(context)
        elif names.POOLED_TOKENS.fullmatch(name) or node in firsts:
            pooled = Chain(graph, node, _PREFIX).add("Reshape", [ops.read(node), row_shape], name)
            if node in firsts:
                pooled = Chain(graph, node).add("Gather", [pooled, start], name, axis=1)
            node.outputs[0].replace_all_uses_with(pooled, replace_graph_outputs=True)
    graph.sort()
    rows.keep(graph, given, row_shape, *scales)
    graph.sort()
    ops.remove_unused(model)


def _condition(graph: ir.Graph) -> ir.Value:
    """Append the test for rows without padding; bool, of no dimension."""
    chain = Chain(graph, None, _PREFIX)
    ids, mask = (ops.input_named(graph, name) for name in (INPUT_IDS, ATTENTION_MASK))
    ones = chain.cast(chain.cast(mask, ir.DataType.BOOL, "present"), _INT64, "ones")
    shapes = [chain.add("Shape", [value], f"{value.name}_shape") for value in (ids, mask)]
    same = chain.cast(chain.add("Equal", shapes, "same_shape"), _INT64, "same_shape_bits")
    both = enumerate((ones, same))
    least = [chain.add("ReduceMin", [value], f"least_{at}", keepdims=0) for at, value in both]
    # No rows have no padding, and no layout that could be left out.
    all_of = chain.add("Min", [*least, chain.add("Size", [mask], "size")], "all")
    return chain.cast(all_of, ir.DataType.BOOL, "condition")


def _bring(graph: ir.Graph, other: ir.Graph) -> None:
    """Let a graph's nodes read another graph's inputs and constants in place of their own, by name."""
    known = {**{str(value.name): value for value in graph.inputs}, **graph.initializers}
    for node in other:
        for index, value in enumerate(node.inputs):
            if value is not None and value.producer() is None:
                name = str(value.name)
                if name not in known:
                    known[name] = ops.constant(graph, name, ops.array_of(value))
                node.replace_input_with(index, known[name])
        node.name = f"{_PREFIX}_{node.name}"
        for value in node.outputs:
            value.name = f"{_PREFIX}_{value.name}"
            if not value.is_graph_output():
                value.shape = value.type = None  # said of the packed graph


def _take(graph: ir.Graph, name: str) -> ir.Graph:
    """Move a graph's nodes into a subgraph, which reads the rest from around it."""
    nodes, outputs = list(graph), list(graph.outputs)
    graph.outputs.clear()
    graph.remove(nodes)
    for value in outputs:
        value.name = f"{value.name}_of_{name}"
    return ir.Graph([], outputs, nodes=nodes, name=name)


def unpadded(model: ir.Model) -> int:
    """Give batches without padding a branch of their own, in place.

    In: a packed graph. Out: an `If` of two branches on the same weights. The first is for rows that keep all
    their tokens, one text alone among them: it has no layout. Where a layer's projection is one int8 product,
    attention there is a `QAttention`; elsewhere its parts are transposed and split where they were gathered.
    The second is the graph as it was, with the scores' factor where `QAttention` has it. Both say the same
    to the bit.

    Returns:
        1, the number of branches added.

    Raises:
        GraphError: the graph is not packed.
    """
    graph = model.graph
    fused = qattention.factors(model)
    other = model.clone()
    _without_layout(other, fused)
    _bring(graph, other.graph)
    promised = [(str(value.name), value.type, value.shape) for value in graph.outputs]
    branches = {"then_branch": _take(other.graph, _PREFIX), "else_branch": _take(graph, _PADDED)}
    answers = Chain(graph).several("If", [_condition(graph)], _PREFIX, len(promised), **branches)
    for value, (name, type_, shape) in zip(answers, promised, strict=True):
        value.name, value.type, value.shape = name, type_, shape
        graph.outputs.append(value)
    return 1
