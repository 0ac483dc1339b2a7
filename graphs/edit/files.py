"""Read a graph from disk for rewriting."""

from __future__ import annotations

from pathlib import Path

import onnx_ir as ir

from core.errors import GraphError
from core.untrusted import onnx_file
from core.untrusted.wire import operators


def load(path: Path) -> ir.Model:
    """Read a graph of an earlier stage.

    Raises:
        GraphError: it is missing or not ONNX.
    """
    onnx_file.check(path, operators.GRAPH, GraphError)
    try:
        # Through the protobuf: initializers in memory, so that a step may rewrite the file it read.
        return ir.from_proto(ir.to_proto(ir.load(path)))
    except Exception as error:  # protobuf and onnx_ir share no base
        raise GraphError(f"{path}: cannot be read as ONNX: {error}") from error
