"""Add the input that some engines send to every BERT, and that nothing here reads."""

from __future__ import annotations

import onnx_ir as ir

from core.contract import BATCH_AXIS, SEQUENCE_AXIS, TOKEN_TYPE_IDS
from core.errors import GraphError
from graphs.edit import ops


def accept(model: ir.Model) -> int:
    """Add the input `token_type_ids`, int64 `[batch, sequence]`, in place; no answer depends on it.

    A single text has type 0 throughout, and that type's embedding is in the word table already.

    Returns:
        1, the number of inputs added.

    Raises:
        GraphError: the graph has such an input or value.
    """
    values = {value.name for node in model.graph.all_nodes() for value in node.outputs}
    if TOKEN_TYPE_IDS in values | {value.name for value in model.graph.inputs}:
        raise GraphError(f"found {TOKEN_TYPE_IDS}, expected a graph without it")
    value = ops.typed(ir.val(TOKEN_TYPE_IDS), ir.DataType.INT64, [BATCH_AXIS, SEQUENCE_AXIS])
    model.graph.inputs.append(value)
    return 1
