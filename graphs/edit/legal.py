"""Check what is legal in a graph between two steps: operators, names, and the contract's two ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import onnx_ir as ir

from core.contract import ATTENTION_MASK, INPUT_IDS, TEXT
from core.errors import GraphError
from core.untrusted.wire.operators import HEAD_DOMAIN, MICROSOFT, MICROSOFT_OPERATORS, STANDARD

_TOKENS = {INPUT_IDS: ir.DataType.INT64, ATTENTION_MASK: ir.DataType.INT64}
_TEXTS = {TEXT: ir.DataType.STRING}


def _duplicates(names: Iterable[str | None]) -> list[str]:
    return sorted(str(name) for name, count in Counter(names).items() if count > 1)


def check(model: ir.Model) -> None:
    """Check a graph between two steps.

    Raises:
        GraphError: an operator outside the table, a local function, a name used twice or missing,
            or inputs other than the contract's. The message names the node.
    """
    graph = model.graph
    if model.functions:
        raise GraphError(f"local functions are left: {[str(key) for key in model.functions]}")
    nodes = list(graph.all_nodes())
    for node in nodes:
        standard = node.domain in STANDARD or node.domain == HEAD_DOMAIN
        if not standard and (node.domain != MICROSOFT or node.op_type not in MICROSOFT_OPERATORS):
            raise GraphError(f"node {node.name}: operator {node.domain}.{node.op_type} is not legal here")
    values = [*graph.inputs, *graph.initializers.values()]
    values += [value for node in nodes for value in node.outputs if value.name]
    for kind, names in (("value", [v.name for v in values]), ("node", [n.name for n in nodes])):
        if duplicates := _duplicates(names):
            raise GraphError(f"{kind} names used twice: {', '.join(duplicates)}")
    inputs = {str(value.name): value.dtype for value in graph.inputs}
    if inputs not in (_TOKENS, _TEXTS):
        raise GraphError(f"found inputs {inputs}, expected {_TOKENS} or {_TEXTS}")
    for value in graph.outputs:
        if value.dtype is None or value.shape is None:
            raise GraphError(f"output {value.name} has no type or shape")


def check_outputs(graph: ir.Graph, *allowed: Sequence[str]) -> None:
    """Check that a graph's outputs are named as one of some lists says.

    Raises:
        GraphError: they are not; the message has both.
    """
    names = [value.name for value in graph.outputs]
    if names not in [list(expected) for expected in allowed]:
        raise GraphError(f"found outputs {names}, expected {' or '.join(map(', '.join, allowed))}")


def check_count(step: str, counts: dict[str, int], expected: dict[str, int]) -> None:
    """Compare how often a step applied with how often it must.

    Raises:
        GraphError: a number differs; the message has both.
    """
    for name, wanted in expected.items():
        if counts.get(name, 0) != wanted:
            raise GraphError(f"{step}: {name}: found {counts.get(name, 0)}, expected {wanted}")
