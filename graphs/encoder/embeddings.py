"""Rewrite the embeddings: two tables in place of three, and positions without index arithmetic."""

from __future__ import annotations

import onnx_ir as ir

from core.contract import ATTENTION_MASK, BATCH_AXIS, INPUT_IDS, SEQUENCE_AXIS
from core.errors import GraphError
from graphs.edit import names, ops
from graphs.edit.chain import Chain

_TABLES = ("word_embeddings.weight", "position_embeddings.weight", "token_type_embeddings.weight")


def _table(graph: ir.Graph, suffix: str) -> ir.Value:
    tables = [value for name, value in graph.initializers.items() if name.endswith(suffix)]
    if len(tables) != 1:
        raise GraphError(f"found {len(tables)} initializers called …{suffix}, expected 1")
    return tables[0]


def _sum_of_tables(tables: list[ir.Value]) -> ir.Value:
    """Return the sum that the three tables' rows end in."""
    value = next(iter(tables[0].uses())).node.outputs[0]
    while [use.node.op_type for use in value.uses()] == ["Add"]:
        value = next(iter(value.uses())).node.outputs[0]
    floats = {v for v in ops.ancestors(value) if v.is_initializer() and v.dtype == ir.DataType.FLOAT}
    if floats != set(tables):
        summands = sorted(str(v.name) for v in floats)
        raise GraphError(f"{value.name}: a sum of {summands}, expected the three embedding tables")
    return value


def embeddings(model: ir.Model) -> int:
    """Fold the token type into the position table, and cut that table instead of indexing it.

    In: `word[input_ids] + type[0] + position[position_ids[:s]]`. Out: `word[input_ids] +
    table[:s]`, where `table = position + type[0]`. Exact up to the order of two float32 sums; a
    single sentence has type 0 throughout.

    Returns:
        1, the number of sums rewritten.

    Raises:
        GraphError: the embeddings are not the sum of the three tables.
    """
    graph = model.graph
    word, position, token_type = tables = [_table(graph, suffix) for suffix in _TABLES]
    total = _sum_of_tables(tables)
    chain = Chain(graph, total.producer())
    joined = ops.array_of(position) + ops.array_of(token_type)[0]
    table = chain.floats("position_and_type_embeddings", joined)
    zero = chain.integers("zero_1", [0])
    rows = chain.add("Gather", [word, ops.input_named(graph, INPUT_IDS)], names.WORDS, axis=0)
    # The mask's length, not the ids': a graph that is given two lengths must fail, not broadcast.
    length = chain.add("Shape", [ops.input_named(graph, ATTENTION_MASK)], "sequence_length", start=1, end=2)
    positions = chain.add("Slice", [table, zero, length, zero], names.POSITIONS)
    added = chain.add("Add", [rows, positions], names.EMBEDDINGS)
    hidden = int(joined.shape[1])
    ops.typed(length, ir.DataType.INT64, [1])
    ops.typed(positions, ir.DataType.FLOAT, [SEQUENCE_AXIS, hidden])
    for value in (rows, added):
        ops.typed(value, ir.DataType.FLOAT, [BATCH_AXIS, SEQUENCE_AXIS, hidden])
    total.replace_all_uses_with(added)
    ops.remove_unused(model)
    return 1
