"""Find the activations of a packed graph that are quantized, and who reads them."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from core.errors import GraphError
from graphs.edit import names, ops

# An activation's kind, by the linear layer that reads it.
NORM, CONTEXT, GELU = "norm", "context", "gelu"
_KINDS = {"qkv": NORM, "key_value": NORM, "attention_output": CONTEXT, "up": NORM, "down": GELU}


@dataclass(frozen=True)
class Activation:
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
        return int(ops.array(self.linears[0], 1).shape[0])


def find(model: ir.Model) -> list[Activation]:
    """Return the activations in graph order.

    Raises:
        GraphError: the graph is not packed, or something else reads an activation.
    """
    activations = []
    for node in model.graph:
        match = names.LINEAR.fullmatch(str(node.name))
        if node.op_type != "Gemm" or match is None:
            continue
        value = ops.read(node)
        readers = [use.node for use in value.uses()]
        rows = next((reader for reader in readers if names.CLS_ROWS.fullmatch(str(reader.name))), None)
        if rows is not None:
            readers += [use.node for use in rows.outputs[0].uses()]
        # A head that reads a hidden state does so in float32.
        linears = tuple(reader for reader in readers if reader.op_type == "Gemm" and names.in_layer(reader))
        name = match[0].replace("key_value", "qkv")
        activations.append(Activation(name, _KINDS[match[2]], int(match[1]), value, linears, rows))
    if not activations:
        raise GraphError("no linear layer of a packed graph; `pack` and `unfuse` must come before")
    return activations
