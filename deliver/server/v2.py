"""Speak the Open Inference Protocol (KServe's and Triton's v2) in JSON: tensors in and out, by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from core.contract import PREDICTIONS, PROBABILITIES, TEXT, TOOLCHAIN_VERSION
from core.errors import RequestError
from core.untrusted import json_file
from deliver.server import request
from deliver.server.batcher import Row

VERSION = "1"
_OUTPUTS = {PROBABILITIES: "FP32", PREDICTIONS: "BOOL"}
_STRINGS = "BYTES"


class Asked(NamedTuple):
    """A request: its texts, the outputs that it wants, and its own name, which the answer repeats."""

    texts: list[str]
    outputs: list[str]
    id: str | None


def server(name: str) -> dict[str, Any]:
    """Describe the server."""
    return {"name": name, "version": TOOLCHAIN_VERSION, "extensions": []}


def model(name: str, labels: int) -> dict[str, Any]:
    """Describe the model: what tensors it takes and gives."""
    outputs = [{"name": output, "datatype": kind, "shape": [-1, labels]} for output, kind in _OUTPUTS.items()]
    inputs = [{"name": TEXT, "datatype": _STRINGS, "shape": [-1]}]
    described = {"name": name, "versions": [VERSION], "platform": "onnxruntime_onnx"}
    return {**described, "inputs": inputs, "outputs": outputs}


def _member(place: str, content: Any, name: str, kind: type, expected: str) -> Any:
    """Return a member of an object, of one type."""
    value = content.get(name) if isinstance(content, dict) else None
    if not isinstance(value, kind):
        raise RequestError(f"{place}{name}: expected {expected}")
    return value


def _texts(tensor: Any) -> list[str]:
    """Return the texts of the one input, `[n]` or `[n, 1]`; its data may be flat in both."""
    if tensor.get("datatype") != _STRINGS:
        raise RequestError(
            f"{TEXT}: datatype: found {str(tensor.get('datatype'))[:40]!r}, expected {_STRINGS}"
        )
    shape = _member(f"{TEXT}: ", tensor, "shape", list, "a list of numbers")
    data = _member(f"{TEXT}: ", tensor, "data", list, "a list of strings")
    if len(shape) == 2 and all(isinstance(row, list) and len(row) == 1 for row in data):
        data = [row[0] for row in data]
    if shape not in ([len(data)], [len(data), 1]):
        stated = f"found {str(shape)[:40]} and {len(data):,} strings, expected [n] or [n, 1]"
        raise RequestError(f"{TEXT}: shape: {stated}")
    return request.checked(data, f"{TEXT}: data")


def asked_of(body: bytes) -> Asked:
    """Return what a request asks for.

    Raises:
        RequestError: it is not of the protocol's form, has another input than `text` or asks for an unknown
            output, or has none, too many or too long texts.
    """
    content = json_file.loads(body, "body", RequestError)
    inputs = _member("", content, "inputs", list, "a list of one input")
    names = [tensor.get("name") if isinstance(tensor, dict) else None for tensor in inputs]
    if names != [TEXT]:
        raise RequestError(f"inputs: found {str(names)[:100]}, expected {[TEXT]}")
    wanted = content.get("outputs") or [{"name": name} for name in _OUTPUTS]
    if not isinstance(wanted, list):
        raise RequestError("outputs: expected a list")
    outputs = [_member("outputs: ", output, "name", str, "a name of each") for output in wanted]
    unknown = [name for name in outputs if name not in _OUTPUTS]
    if unknown or len(set(outputs)) < len(outputs):
        raise RequestError(f"outputs: found {str(outputs)[:100]}, expected some of {list(_OUTPUTS)}")
    own = content.get("id")
    if own is not None and not isinstance(own, str):
        raise RequestError("id: expected a string")
    return Asked(_texts(inputs[0]), outputs, own)


def inferred(name: str, asked: Asked, rows: Sequence[Row]) -> dict[str, Any]:
    """Return the answer to a request; tensors are flat, row after row."""
    outputs = [
        {
            "name": output,
            "datatype": _OUTPUTS[output],
            "shape": [len(rows), len(rows[0].probabilities)],
            "data": [value for row in rows for value in getattr(row, output).tolist()],
        }
        for output in asked.outputs
    ]
    own = {} if asked.id is None else {"id": asked.id}
    return {"model_name": name, "model_version": VERSION, **own, "outputs": outputs}
