"""Pack the poolings: each reads the real tokens `[t, h]`, padded only where rows must line up."""

from __future__ import annotations

import re

import onnx_ir as ir

from graphs.edit import names, ops
from graphs.edit.chain import Chain
from graphs.packed.layout import Layout

_SUFFIX = re.compile(r"_(mean_sum_row|max_kept|row)$")


def _reads_mask(node: ir.Node) -> bool:
    return node.op_type == "Cast" and names.POOLING_MASK.fullmatch(str(node.name)) is not None


def _reads_rows(node: ir.Node) -> bool:
    return node.op_type == "Gather" and names.POOLING_OF_FIRST.fullmatch(str(node.name)) is not None


def find(graph: ir.Graph) -> list[ir.Node]:
    """Return the nodes that pool hidden states, and those that cast the mask for them."""
    nodes = [
        node
        for node in graph
        if _reads_rows(node) or _reads_mask(node) or names.POOLING_OF_ALL.fullmatch(str(node.name))
    ]
    return [] if all(map(_reads_mask, nodes)) else nodes


def pack(graph: ir.Graph, poolings: list[ir.Node], where: Layout) -> None:
    """Let poolings read hidden states `[t, h]`, in place; each gathers its rows as `[b, p, h]`.

    CLS pooling takes the rows' first tokens, and gathers nothing else.

    Raises:
        GraphError: a pooling reads no hidden state.
    """
    padded: dict[ir.Value, ir.Value] = {}
    for node in poolings:
        if _reads_mask(node):
            node.replace_input_with(0, where.rows.valid_rp)
        elif _reads_rows(node):
            node.replace_input_with(1, where.starts)
            node.attributes["axis"] = ir.AttrInt64("axis", 0)
        else:
            hidden = ops.read(node, 1)
            if hidden not in padded:
                chain = Chain(graph, node, _SUFFIX.sub("", str(node.name)))
                padded[hidden] = chain.add("Gather", [hidden, where.rows.tokens_rp], "tokens", axis=0)
            node.replace_input_with(1, padded[hidden])
            if node.op_type == "Where":
                # At padding is the row's last token once more: it changes no maximum.
                node.outputs[0].replace_all_uses_with(padded[hidden])
