"""Write a model repository for Triton Inference Server, for its onnxruntime backend or its Python backend.

The format is that of Triton's `model_config.proto` and of its documents on model repositories: a folder a
model, named as the model, with `config.pbtxt` and a folder a version. Files beside the models' folders are
for people and clients; the server reads folders only. Triton joins the requests of several callers to one
batch: those of one length for the onnxruntime backend, of all lengths where the model takes texts or where
`model.py` pads them.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Literal

from core.artifact.manifest import TOKENIZER_FILE
from core.contract import TEXT, THRESHOLDS_FILE
from core.errors import ArtifactError
from deliver.source import Source, Tensor, complete, template

CONFIG_FILE = "config.pbtxt"
LABELS_FILE = "labels.txt"
MODEL_FILE = "model.py"
# What runs the graph inside the server.
Backend = Literal["onnxruntime", "python"]
# The most texts that the server joins to one run, and how long the first of them waits for more.
MAX_BATCH = 64
QUEUE_DELAY_MICROSECONDS = 1000
_TYPES = {
    "tensor(int64)": "TYPE_INT64",
    "tensor(float)": "TYPE_FP32",
    "tensor(bool)": "TYPE_BOOL",
    "tensor(string)": "TYPE_STRING",
}
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n"}


def quoted(text: str) -> str:
    """Return a string as protobuf's text format has it: UTF-8 as it is, control characters in octal."""
    inner = "".join(_ESCAPES.get(c, c if c.isprintable() else _octal(c)) for c in text)
    return f'"{inner}"'


def _octal(character: str) -> str:
    return "".join(f"\\{byte:03o}" for byte in character.encode("utf-8"))


def _tensor(source: Source, tensor: Tensor, *more: str) -> str:
    """Return one entry of `input` or `output`; the batch axis is Triton's own and not among `dims`."""
    if tensor.type not in _TYPES:
        expected = ", ".join(_TYPES)
        raise ArtifactError(f"{source.file}: {tensor.name}: found {tensor.type}; expected one of {expected}")
    dims = [-1 if axis is None else axis for axis in tensor.axes[1:]]
    if not dims:
        # Triton wants an axis besides the batch's; the graph gets it without.
        dims, more = [1], (*more, "reshape: { shape: [ ] }")
    stated = f"dims: [ {', '.join(map(str, dims))} ]"
    lines = [f"name: {quoted(tensor.name)}", f"data_type: {_TYPES[tensor.type]}", stated, *more]
    return "  {\n" + "".join(f"    {line}\n" for line in lines) + "  }"


def config(source: Source, backend: Backend) -> str:
    """Return the model's `config.pbtxt`, from what its graph takes and gives.

    Raises:
        ArtifactError: a tensor of a type that Triton's config has no name for here.
    """
    # Requests of different lengths, joined; onnxruntime itself would need them padded.
    ragged = ["allow_ragged_batch: true"] if backend == "python" and not source.takes_text else []
    inputs = ",\n".join(_tensor(source, tensor, *ragged) for tensor in source.inputs)
    columns, labelled = (None, len(source.labels)), [f"label_filename: {quoted(LABELS_FILE)}"]
    outputs = ",\n".join(
        _tensor(source, tensor, *(labelled if tensor.axes == columns else [])) for tensor in source.outputs
    )
    return f"""\
name: {quoted(source.name)}
backend: "{backend}"
max_batch_size: {MAX_BATCH}
input [
{inputs}
]
output [
{outputs}
]
instance_group [ {{ count: 1 kind: KIND_CPU }} ]
dynamic_batching {{ max_queue_delay_microseconds: {QUEUE_DELAY_MICROSECONDS} }}
"""


def fill(source: Source, folder: Path, backend: Backend = "onnxruntime") -> None:
    """Write the model repository to an empty folder.

    Raises:
        ArtifactError: the artifact has what the format cannot say.
    """
    # As those who read the file split it: Unicode has more breaks of a line.
    broken = [label for label in source.labels if label.splitlines() != [label]]
    if broken:
        raise ArtifactError(f"{source.file}: label {broken[0]!r}: {LABELS_FILE} has one a line")
    model = folder / source.name
    (model / "1").mkdir(parents=True)
    (model / CONFIG_FILE).write_text(config(source, backend), "utf-8")
    (model / LABELS_FILE).write_text("".join(f"{label}\n" for label in source.labels), "utf-8")
    shutil.copyfile(source.file, model / "1" / "model.onnx")
    if backend == "python":
        (model / "1" / MODEL_FILE).write_text(template("triton_model.py.j2"), "utf-8")
    names = [THRESHOLDS_FILE] if source.takes_text else [TOKENIZER_FILE, THRESHOLDS_FILE]
    stated = {"backend": backend, "text": TEXT, "max_batch": MAX_BATCH, "delay": QUEUE_DELAY_MICROSECONDS}
    complete(source, folder, "triton.md.j2", names, **stated)


def fill_python(source: Source, folder: Path) -> None:
    """Write the model repository of the Python backend, as `fill` does."""
    fill(source, folder, "python")
