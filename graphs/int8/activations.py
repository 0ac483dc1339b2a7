"""The sites of a packed graph: the activations that are quantized, and who reads them."""

from __future__ import annotations

import re
from dataclasses import dataclass

import onnx_ir as ir

from core.errors import GraphError
from graphs.edit import ops

# An activation's kind, by the linear layer that reads it.
NORM, CONTEXT, GELU = "norm", "context", "gelu"
_KINDS = {"qkv": NORM, "key_value": NORM, "attention_output": CONTEXT, "up": NORM, "down": GELU}
_NAME = re.compile(r"layer_(\d+)_(qkv|key_value|attention_output|up|down)")


_ROWS = re.compile(r"layer_\d+_cls_rows")


def _in_layer(node: ir.Node) -> bool:
    return str(node.name).startswith("layer_")


@dataclass(frozen=True)
class SiteNodes:
    """One activation `[t, k]` of a packed graph, and the linear layers that read it.

    `rows` is a gather of some of its rows (the CLS tokens of a pruned layer), where there is one.
    """

    name: str
    kind: str
    layer: int
    value: ir.Value
    linears: tuple[ir.Node, ...]
    rows: ir.Node | None

    @property
    def width(self) -> int:
        """Channels k of the activation."""
        weight = self.linears[0].inputs[1]
        if weight is None:
            raise GraphError(f"{self.linears[0].name}: found no weight")
        return int(ops.array_of(weight).shape[0])


def find(model: ir.Model) -> list[SiteNodes]:
    """Return the sites in graph order.

    Raises:
        GraphError: the graph is not packed, or something else reads an activation.
    """
    found = []
    for node in model.graph:
        match = _NAME.fullmatch(node.name or "")
        if node.op_type != "Gemm" or match is None:
            continue
        value = node.inputs[0]
        if value is None:
            raise GraphError(f"{node.name}: found no input")
        readers = [use.node for use in value.uses()]
        rows = next((reader for reader in readers if _ROWS.fullmatch(str(reader.name))), None)
        if rows is not None:
            readers += [use.node for use in rows.outputs[0].uses()]
        # A head that reads a hidden state does so in float32.
        linears = tuple(reader for reader in readers if reader.op_type == "Gemm" and _in_layer(reader))
        name = (node.name or "").replace("key_value", "qkv")
        layer, kind = int(match[1]), _KINDS[match[2]]
        found.append(SiteNodes(name, kind, layer, value, linears, rows))
    if not found:
        raise GraphError("found no linear layer of a packed graph; the pack stage comes before")
    return found
