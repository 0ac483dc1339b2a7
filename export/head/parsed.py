"""Read what a library made of a head in a process of its own."""

from __future__ import annotations

from pathlib import Path

import onnx

from core.errors import HeadError
from core.untrusted import onnx_file
from core.untrusted.regular_file import naming
from core.untrusted.wire import operators


def parse(path: Path, content: bytes) -> onnx.ModelProto:
    """Read a model as strictly as a head itself.

    Raises:
        HeadError: it is not accepted; the message names `path`.
    """
    onnx_file.check_bytes(content, path, operators.HEAD, HeadError)
    with naming(path, HeadError, "not an ONNX file", Exception):
        model: onnx.ModelProto = onnx.load_from_string(content)
    return model
