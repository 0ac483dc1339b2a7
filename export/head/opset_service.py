"""`python -m export.head.opset_service`: let onnx convert a head to another opset, within limits."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import version_converter

from core.untrusted.limited import service
from core.untrusted.limited.frames import Header, Value


def convert(header: Header, values: list[Value]) -> tuple[Header, list[Value]]:
    """Return a model in the opset that is asked for."""
    model = onnx.load_from_string(values[0].tobytes())
    converted = version_converter.convert_version(model, header["opset"])
    return {}, [np.frombuffer(converted.SerializeToString(), np.uint8)]


def functions() -> dict[str, service.Function]:
    """Return what a parent may ask for."""
    return {"convert": convert}


if __name__ == "__main__":
    service.run(functions())
