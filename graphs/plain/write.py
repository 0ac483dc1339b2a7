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

# It changes a model, or checks it.
Rewrite = Callable[[ir.Model], object]

# What is left is of the contract's inputs and of ONNX's own operators.
_STANDARD: tuple[Rewrite, ...] = (legal.check, standard.standard)
# Of a graph in float32, which has no branches.
PLAIN: tuple[Rewrite, ...] = (layout.plain, *_STANDARD)
# Of one in int8.
QDQ: tuple[Rewrite, ...] = (
    padded.padded,
    normalization.layer,
    layout.plain,
    qdq.products,
    qdq.scores,
    *_STANDARD,
)
HALF: tuple[Rewrite, ...] = (layout.plain, *_STANDARD, half.half)
TOKEN_TYPES: tuple[Rewrite, ...] = (token_types.accept,)


def write(source: Path, target: Path, rewrites: tuple[Rewrite, ...]) -> None:
    """Write what rewrites make of a finished graph's file.

    Raises:
        GraphError: the file is no graph of this project, or not of the kind that they are for.
    """
    model = load_graph(source)
    try:
        for rewrite in rewrites:
            rewrite(model)
    except GraphError as error:
        raise GraphError(f"{source}: {error}") from error
    ops.remove_unused(model)
    with replacing(target) as temporary:
        ir.save(model, temporary)
