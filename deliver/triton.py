"""Write a model repository for Triton Inference Server's onnxruntime backend.

The format is that of Triton's `model_config.proto` and of its documents on model repositories: a folder a
model, named as the model, with `config.pbtxt` and a folder a version. Files beside the models' folders are
for people and clients; the server reads folders only.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from core.artifact.manifest import TOKENIZER_FILE
from core.contract import THRESHOLDS_FILE
from core.errors import ArtifactError
from deliver.source import Source, Tensor, complete

CONFIG_FILE = "config.pbtxt"
LABELS_FILE = "labels.txt"
# The most texts that the server joins to one run, and how long the first of them waits for more.
MAX_BATCH = 64
QUEUE_DELAY_MICROSECONDS = 1000
_TYPES = {"tensor(int64)": "TYPE_INT64", "tensor(float)": "TYPE_FP32", "tensor(bool)": "TYPE_BOOL"}
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n"}


def quoted(text: str) -> str:
    """Return a string as protobuf's text format has it: UTF-8 as it is, control characters in octal."""
    inner = "".join(_ESCAPES.get(c, c if c.isprintable() else _octal(c)) for c in text)
    return f'"{inner}"'


def _octal(character: str) -> str:
    return "".join(f"\\{byte:03o}" for byte in character.encode("utf-8"))


def _tensor(source: Source, tensor: Tensor, labelled: bool) -> str:
    """Return one entry of `input` or `output`; the batch axis is Triton's own and not among `dims`."""
    if tensor.type not in _TYPES:
        expected = ", ".join(_TYPES)
        raise ArtifactError(f"{source.file}: {tensor.name}: found {tensor.type}; expected one of {expected}")
    dims = ", ".join(str(-1 if axis is None else axis) for axis in tensor.axes[1:])
    lines = [f"name: {quoted(tensor.name)}", f"data_type: {_TYPES[tensor.type]}", f"dims: [ {dims} ]"]
    if labelled:
        lines.append(f"label_filename: {quoted(LABELS_FILE)}")
    return "  {\n" + "".join(f"    {line}\n" for line in lines) + "  }"


def config(source: Source) -> str:
    """Return the model's `config.pbtxt`, from what its graph takes and gives.

    Raises:
        ArtifactError: a tensor of a type that Triton's config has no name for here.
    """
    inputs = ",\n".join(_tensor(source, tensor, False) for tensor in source.inputs)
    columns = (None, len(source.labels))
    outputs = ",\n".join(_tensor(source, tensor, tensor.axes == columns) for tensor in source.outputs)
    return f"""\
name: {quoted(source.name)}
backend: "onnxruntime"
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


def fill(source: Source, folder: Path) -> None:
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
    (model / CONFIG_FILE).write_text(config(source), "utf-8")
    (model / LABELS_FILE).write_text("".join(f"{label}\n" for label in source.labels), "utf-8")
    shutil.copyfile(source.file, model / "1" / "model.onnx")
    limits = {"max_batch": MAX_BATCH, "delay": QUEUE_DELAY_MICROSECONDS}
    complete(source, folder, "triton.md.j2", (TOKENIZER_FILE, THRESHOLDS_FILE), **limits)
