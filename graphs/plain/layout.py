"""Lay a batch out as it comes, padding included: what engines without data-dependent shapes need."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from core.contract import ATTENTION_MASK
from core.errors import GraphError
from graphs.edit import names, ops
from graphs.edit.chain import Chain
from graphs.unpadded import transposed

_PREFIX = "plain"
# Added to the score of a padding key, and in place of a padding token where a maximum is taken: float16 has
# it, and its exponential beside any other score is 0.
MASKED = -1e4


@dataclass(frozen=True)
class _Given:
    """What every layer reads, from the inputs' own rows and columns."""

    known: dict[str, ir.Value]  # by the name of the packed graph's node in whose place it is
    places: ir.Value  # int64 [b s], the position of each token
    shape: ir.Value  # int64 [2], b and s
    row_shape: ir.Value  # int64 [3], b, s and -1
    column: ir.Value  # bool [b, s, 1], where a token counts
    score_bias: ir.Value  # float32 [b, 1, 1, s], 0 there


def _present(chain: Chain, mask: ir.Value, positions: ir.Value, zero: ir.Value) -> ir.Value:
    """Append which columns count, bool `[b, s]`: as when packed, a row without a token has its first."""
    real = chain.cast(mask, ir.DataType.BOOL, "mask")
    narrow = chain.cast(real, ir.DataType.INT32, "narrow_ones")
    most = chain.add("ReduceMax", [narrow, chain.integers("axis_1", [1])], "most", keepdims=1)
    none = chain.add("Not", [chain.cast(most, ir.DataType.BOOL, "any")], "none")
    first = chain.add("And", [chain.add("Equal", [positions, zero], "first"), none], "first_of_none")
    return chain.add("Or", [real, first], "present")


def _starts(chain: Chain, mask: ir.Value, present: ir.Value, length: ir.Value, zero: ir.Value) -> ir.Value:
    """Append each row's first token among `[b s]`, int64 `[b]`."""
    batch = chain.add("Squeeze", [chain.add("Shape", [mask], "batch", start=0, end=1)], "batch_alone")
    rows = chain.add("Range", [zero, batch, chain.integers("next", 1)], "rows")
    narrow = chain.cast(present, ir.DataType.INT32, "narrow_present")
    column = chain.add("ArgMax", [narrow], "first_column", axis=1, keepdims=0)
    return chain.add("Add", [chain.add("Mul", [rows, length], "row_starts"), column], "starts")


def _given(chain: Chain) -> _Given:
    """Append what every layer reads."""
    add, integers, graph = chain.add, chain.integers, chain.graph
    mask, same_ids = ops.input_named(graph, ATTENTION_MASK), names.node(graph, names.SAME_IDS).outputs[0]
    zero, flat = integers("zero", 0), integers("flat", [-1])
    shape = add("Shape", [mask], "shape")
    length = add("Squeeze", [add("Shape", [mask], "length", start=1, end=2)], "length_alone")
    positions = add("Range", [zero, length, integers("one", 1)], "positions")
    present = _present(chain, mask, positions, zero)
    ids = add("Where", [present, same_ids, zero], "ids")
    counted = names.find(graph, names.TOKEN_NUMBERS)
    numbers = (
        counted.outputs[0] if counted is not None else add("Expand", [positions, shape], "each_position")
    )
    bias = add("Where", [present, chain.floats("keep", 0), chain.floats("masked", MASKED)], "bias_rows")
    return _Given(
        known={
            names.GIVEN_IDS: add("Reshape", [ids, flat], "given_ids"),
            names.VALID: present,
            names.STARTS: _starts(chain, mask, present, length, zero),
        },
        places=add("Reshape", [numbers, flat], "places"),
        shape=shape,
        row_shape=add("Concat", [shape, flat], "row_shape", axis=0),
        column=add("Unsqueeze", [present, integers("axis_2", [2])], "column"),
        score_bias=add("Unsqueeze", [bias, integers("axes_1_2", [1, 2])], "bias"),
    )


def _attention(graph: ir.Graph, masked: ir.Node, shape: ir.Value, width: int, bias: ir.Value) -> None:
    """Replace one attention's gathers by transpositions, and mask its scores."""
    match = names.MASKED_SCORES.fullmatch(str(masked.name))
    assert match is not None
    layer, group = match.groups()
    chain = Chain(graph, None, f"{layer}_{group}_{_PREFIX}")
    scores, weights = ops.read(masked), names.node(graph, f"{layer}_{group}_weights")
    context_shape = chain.integers("context_shape", [-1, width])
    context = transposed.attend(graph, f"{layer}_{group}", _PREFIX, shape, context_shape)
    weights.replace_input_with(0, chain.add("Add", [scores, bias], "masked_scores"))
    joined = f"{layer}_context_joined" if group == names.LONG else f"{layer}_{group}_context_joined"
    names.node(graph, joined).outputs[0].replace_all_uses_with(context)


def _pool(graph: ir.Graph, node: ir.Node, row_shape: ir.Value, column: ir.Value) -> None:
    """Replace a pooling's gather of a row's tokens; padding never is a maximum."""
    chain = Chain(graph, None, str(node.name))
    tokens = chain.add("Reshape", [ops.read(node), row_shape], _PREFIX)
    largest = [use.node for use in node.outputs[0].uses() if use.node.op_type == "ReduceMax"]
    if largest:
        kept = chain.add("Where", [column, tokens, chain.floats("least", MASKED)], "kept")
        for reader in largest:
            reader.replace_input_with(0, kept)
    node.outputs[0].replace_all_uses_with(tokens)


def plain(model: ir.Model) -> int:
    """Lay rows out as they come, in place: `[b s, k]`, padding included, and a mask on the scores.

    In: a packed graph, such as `padded` leaves. Out: the same weights and token-wise operators, without
    `NonZero`, `TopK`, `GatherND` and the gathers around attention: every shape follows from those of the
    inputs. Query, key and value come by `Reshape`, `Transpose` and `Split`; padding is looked up as token 0,
    attended to by nobody and pooled by none. Equal up to rounding: products add up in another order.

    Returns:
        How many attentions were laid out.

    Raises:
        GraphError: the graph is not packed.
    """
    graph = model.graph
    attentions = [node for node in graph if names.MASKED_SCORES.fullmatch(str(node.name))]
    if not attentions:
        raise GraphError("found no attention of a packed graph; `pack` must come before")
    given = _given(Chain(graph, None, _PREFIX))
    for name, value in given.known.items():
        if (node := names.find(graph, name)) is not None:
            node.outputs[0].replace_all_uses_with(value)
    positions = names.node(graph, names.POSITION_ROWS)
    positions.replace_input_with(1, given.places)
    hidden = int(ops.array(positions, 0).shape[1])
    for masked in attentions:
        _attention(graph, masked, given.shape, hidden, given.score_bias)
    for node in list(graph):
        if names.POOLED_TOKENS.fullmatch(str(node.name)):
            _pool(graph, node, given.row_shape, given.column)
    graph.sort()
    ops.remove_unused(model)
    for value in {value for node in graph for value in node.outputs} - set(graph.outputs):
        value.shape = None  # said of the packed graph
    return len(attentions)
