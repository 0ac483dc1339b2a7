"""Write what a finished graph's file becomes for other engines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx_ir as ir

from core.disk.files import replacing
from core.errors import GraphError
from graphs.edit import legal, ops
from graphs.edit.files import load as load_graph
from graphs.finish import padded, standard
from graphs.plain import half, layout, normalization, qdq, token_types

Rewrite = Callable[[ir.Model], int]

# Of a graph in float32, which has no branches.
PLAIN: tuple[Rewrite, ...] = (layout.plain,)
# Of one in int8.
QDQ: tuple[Rewrite, ...] = (
    padded.padded,
    normalization.layer,
    layout.plain,
    qdq.products,
    qdq.scores,
    standard.standard,
)
HALF: tuple[Rewrite, ...] = (layout.plain, half.half)


def write(source: Path, target: Path, rewrites: tuple[Rewrite, ...]) -> None:
    """Write what rewrites make of a finished graph's file: standard operators on the contract's inputs.

    Raises:
        GraphError: the file is no graph of this project, or not of the kind that they are for.
    """
    model = load_graph(source)
    for rewrite in rewrites:
        rewrite(model)
        legal.check(model)
    ops.remove_unused(model)
    own = sorted({node.op_type for node in model.graph.all_nodes() if node.domain == ops.MICROSOFT})
    if own:
        raise GraphError(
            f"{source}: found {', '.join(own)} of onnxruntime's own, expected standard operators"
        )
    with replacing(target) as temporary:
        ir.save(model, temporary)


def with_token_types(source: Path, target: Path) -> None:
    """Write a finished graph's file with the input that `token_types` adds.

    Raises:
        GraphError: the file is no graph of this project.
    """
    model = load_graph(source)
    token_types.accept(model)
    with replacing(target) as temporary:
        ir.save(model, temporary)
