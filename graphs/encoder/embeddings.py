"""The embeddings: three tables to two, and positions without index arithmetic."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from core.contract import ATTENTION_MASK, BATCH_AXIS, INPUT_IDS, SEQUENCE_AXIS
from core.errors import GraphError
from graphs.edit import ops

_TABLES = ("word_embeddings.weight", "position_embeddings.weight", "token_type_embeddings.weight")


def _table(graph: ir.Graph, suffix: str) -> ir.Value:
    found = [value for name, value in graph.initializers.items() if name.endswith(suffix)]
    if len(found) != 1:
        raise GraphError(f"found {len(found)} initializers called …{suffix}, expected 1")
    return found[0]


def _sum_of_tables(graph: ir.Graph, tables: list[ir.Value]) -> ir.Value:
    gather = next(iter(tables[0].uses())).node
    value = gather.outputs[0]
    while True:
        users = [use.node for use in value.uses()]
        if len(users) != 1 or users[0].op_type != "Add":
            break
        value = users[0].outputs[0]
    floats = {v for v in ops.ancestors(value) if v.is_initializer() and v.dtype == ir.DataType.FLOAT}
    if floats != set(tables):
        names = sorted(str(v.name) for v in floats)
        raise GraphError(f"{value.name}: a sum of {names}, expected the three embedding tables")
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
    total = _sum_of_tables(graph, tables)
    ids = ops.input_named(graph, INPUT_IDS)
    joined = ops.array_of(position) + ops.array_of(token_type)[0]
    table = ops.constant(graph, "position_and_type_embeddings", joined.astype(np.float32))
    zero = ops.constant(graph, "zero_1", np.array([0], np.int64))
    gathered = ops.node("Gather", [word, ids], "word_embedding", attributes={"axis": 0})
    # The mask's length, not the ids': a graph that is given two lengths must fail, not broadcast.
    length = ops.node(
        "Shape",
        [ops.input_named(graph, ATTENTION_MASK)],
        "sequence_length",
        attributes={"start": 1, "end": 2},
    )
    cut = ops.node("Slice", [table, zero, length.outputs[0], zero], "position_embedding")
    added = ops.node("Add", [gathered.outputs[0], cut.outputs[0]], "embedding_sum")
    hidden = int(joined.shape[1])
    ops.typed(gathered.outputs[0], ir.DataType.FLOAT, [BATCH_AXIS, SEQUENCE_AXIS, hidden])
    ops.typed(length.outputs[0], ir.DataType.INT64, [1])
    ops.typed(cut.outputs[0], ir.DataType.FLOAT, [SEQUENCE_AXIS, hidden])
    ops.typed(added.outputs[0], ir.DataType.FLOAT, [BATCH_AXIS, SEQUENCE_AXIS, hidden])
    ops.insert_before(graph, total, [gathered, length, cut, added])
    total.replace_all_uses_with(added.outputs[0])
    ops.remove_unused(model)
    return 1
