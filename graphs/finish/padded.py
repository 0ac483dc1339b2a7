"""Leave one branch of two, for engines that do not know the operators of the other."""

from __future__ import annotations

import shutil
from pathlib import Path

import onnx_ir as ir

from core.disk.files import replacing
from core.errors import GraphError
from graphs.edit import legal, ops
from graphs.edit.files import load as load_graph


def padded(model: ir.Model) -> int:
    """Leave the branch for rows with padding, in place: it answers all others to the bit as theirs does.

    In: a finished graph. Out: no `If`, and none of `QAttention`; a graph without branches is left as it is.

    Returns:
        How many branches went.

    Raises:
        GraphError: an `If` that is not `unpadded`'s.
    """
    graph = model.graph
    choices = ops.nodes_of(graph, "If")
    if not choices:
        return 0
    if len(choices) > 1 or list(choices[0].outputs) != list(graph.outputs):
        raise GraphError(f"found {len(choices)} If, expected one, which makes all outputs")
    nodes, answers, _ = ops.take_apart(choices[0].attributes["else_branch"].as_graph())
    promised = list(graph.outputs)
    graph.outputs.clear()
    graph.remove(choices[0], safe=True)
    graph.extend(nodes)
    for value, old in zip(answers, promised, strict=True):
        value.name, value.type, value.shape = old.name, old.type, old.shape
        graph.outputs.append(value)
    ops.remove_unused(model)
    return 1


def write(source: Path, target: Path) -> None:
    """Write what `padded` leaves of a graph's file; a graph without branches byte by byte.

    Raises:
        GraphError: the file is no graph of this project.
    """
    model = load_graph(source)
    branches = padded(model)
    legal.check(model)
    with replacing(target) as temporary:
        if branches:
            ir.save(model, temporary)
        else:
            shutil.copyfile(source, temporary)
