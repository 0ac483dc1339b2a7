"""Rewrite the embeddings: two tables in place of three, and positions without index arithmetic."""

from __future__ import annotations

import onnx_ir as ir

from core.contract import ATTENTION_MASK, BATCH_AXIS, INPUT_IDS, SEQUENCE_AXIS
from core.errors import GraphError
from graphs.edit import names, ops
from graphs.edit.chain import Chain

_WORDS, _POSITIONS, _TYPES = (f"{name}_embeddings.weight" for name in ("word", "position", "token_type"))


def _table(graph: ir.Graph, suffix: str) -> ir.Value:
    tables = [value for name, value in graph.initializers.items() if name.endswith(suffix)]
    if len(tables) != 1:
        raise GraphError(f"found {len(tables)} initializers called …{suffix}, expected 1")
    return tables[0]


def _sum_of_tables(tables: list[ir.Value]) -> ir.Value:
    """Return the sum that the tables' rows end in."""
    value = next(iter(tables[0].uses())).node.outputs[0]
    while [use.node.op_type for use in value.uses()] == ["Add"]:
        value = next(iter(value.uses())).node.outputs[0]
    floats = {v for v in ops.ancestors(value) if v.is_initializer() and v.dtype == ir.DataType.FLOAT}
    if floats != set(tables):
        summands = sorted(str(v.name) for v in floats)
        raise GraphError(f"{value.name}: a sum of {summands}, expected the embedding tables")
    return value


def _of_columns(chain: Chain, table: ir.Value, hidden: int) -> ir.Value:
    """Append the rows of the columns, float32 `[s, h]`."""
    zero = chain.integers("zero_1", [0])
    # The mask's length, not the ids': a graph that is given two lengths must fail, not broadcast.
    mask = ops.input_named(chain.graph, ATTENTION_MASK)
    length = chain.add("Shape", [mask], "sequence_length", start=1, end=2)
    ops.typed(length, ir.DataType.INT64, [1])
    positions = chain.add("Slice", [table, zero, length, zero], names.POSITIONS)
    return ops.typed(positions, ir.DataType.FLOAT, [SEQUENCE_AXIS, hidden])


def _of_tokens(chain: Chain, table: ir.Value, hidden: int, padding_id: int) -> ir.Value:
    """Append the rows of what counts the tokens other than the padding, float32 `[b, s, h]`."""
    axes = [BATCH_AXIS, SEQUENCE_AXIS]
    ids, padding = ops.input_named(chain.graph, INPUT_IDS), chain.integers("padding_id", padding_id)
    is_token = chain.add("Not", [chain.add("Equal", [ids, padding], "is_padding")], "is_token")
    ones = chain.cast(is_token, ir.DataType.INT64, "token_ones")
    count = chain.add("CumSum", [ones, chain.integers("sequence_dimension", 1)], "token_count_so_far")
    numbers = chain.add("Mul", [count, ones], names.TOKEN_NUMBERS)
    for value in (ones, count, numbers):
        ops.typed(value, ir.DataType.INT64, axes)
    positions = chain.add("Gather", [table, numbers], names.POSITIONS, axis=0)
    return ops.typed(positions, ir.DataType.FLOAT, [*axes, hidden])


def embeddings(model: ir.Model, token_types: bool = True, padding_id: int | None = None) -> int:
    """Fold the token type into the position table, and cut that table instead of indexing it.

    In: `word[input_ids] + type[0] + position[position_ids[:s]]`. Out: `word[input_ids] +
    table[:s]`, where `table = position + type[0]`. Exact up to the order of two float32 sums; a
    single sentence has type 0 throughout. Where positions count from the padding token's id on, as
    RoBERTa's do, out: `word[input_ids] + table[number]`, where `table` begins at that row, and `number`
    is 0 at padding and else counts the text's tokens so far that are none.

    Args:
        model: the graph.
        token_types: whether it has a table of token types.
        padding_id: the token that positions do not count; None where positions are the columns.

    Returns:
        1, the number of sums rewritten.

    Raises:
        GraphError: the embeddings are not the sum of the tables.
    """
    graph = model.graph
    word, position = (_table(graph, suffix) for suffix in (_WORDS, _POSITIONS))
    types = [_table(graph, _TYPES)] if token_types else []
    total = _sum_of_tables([word, position, *types])
    chain = Chain(graph, total.producer())
    joined = ops.array_of(position)
    for table in types:
        joined = joined + ops.array_of(table)[0]
    hidden = int(joined.shape[1])
    table = chain.floats("position_and_type_embeddings", joined[padding_id or 0 :])
    rows = chain.add("Gather", [word, ops.input_named(graph, INPUT_IDS)], names.WORDS, axis=0)
    if padding_id is None:
        positions = _of_columns(chain, table, hidden)
    else:
        positions = _of_tokens(chain, table, hidden, padding_id)
    added = chain.add("Add", [rows, positions], names.EMBEDDINGS)
    for value in (rows, added):
        ops.typed(value, ir.DataType.FLOAT, [BATCH_AXIS, SEQUENCE_AXIS, hidden])
    total.replace_all_uses_with(added)
    ops.remove_unused(model)
    return 1
