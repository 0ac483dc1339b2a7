"""Leave one branch of two, for engines that do not know the operators of the other."""

from __future__ import annotations

import shutil
from pathlib import Path

import onnx_ir as ir

from core.disk.files import replacing
from core.errors import GraphError
from graphs.edit import legal, names, ops
from graphs.edit.files import load as load_graph


def padded(model: ir.Model) -> int:
    """Leave the branch for rows with padding, in place: it answers all others to the bit as theirs does.

    In: a finished graph. Out: none of `QAttention`, and no `If` but that of a guarded graph, which asks some
    rows again; a graph without branches is left as it is.

    Returns:
        How many branches went.

    Raises:
        GraphError: an `If` that is neither `unpadded`'s nor `guard`'s.
    """
    graph = model.graph
    found = ops.nodes_of(graph, "If")
    choices = [node for node in found if node.name != names.GUARD]
    if not choices:
        return 0
    (choice, *others), guarded = choices, len(found) > len(choices)
    if others or not (guarded or list(choice.outputs) == list(graph.outputs)):
        raise GraphError(f"found {len(choices)} If, expected one, which makes all outputs")
    nodes, answers, _ = ops.take_apart(choice.attributes["else_branch"].as_graph())
    # As long as they read them, what only they read stays.
    for node in choice.attributes["then_branch"].as_graph():
        for index in range(len(node.inputs)):
            node.replace_input_with(index, None)
    graph.insert_before(choice, nodes)
    for value, old in zip(answers, list(choice.outputs), strict=True):
        ops.replace(old, value)
    graph.remove(choice, safe=True)
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
