"""Find the file that a head is in, and read it as an ONNX model, whatever its form."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import onnx
from onnx import TensorProto

from core.contract import HEAD_FILE, HEAD_FILES, WEIGHTS_FILE, ProblemType
from core.errors import HeadError
from core.untrusted import limits, onnx_file, regular_file
from core.untrusted.regular_file import naming
from core.untrusted.wire import operators
from export.head import tensors_head
from export.sources.resolve import Source

_PICKLES = {".pkl", ".pickle", ".joblib", ".cloudpickle"}


def find(source: Source) -> Path:
    """Return the file of a head: ONNX, safetensors or skops.

    Raises:
        HeadError: there is only a pickle, which is never read.
        SourceError: there is none.
    """
    found = [name for name in HEAD_FILES if (source.folder / name).is_file()]
    pickles = sorted(path.name for path in source.folder.iterdir() if path.suffix in _PICKLES)
    # Beside a pickle it is the encoder's, as SetFit writes them.
    if pickles and not set(found) - {WEIGHTS_FILE}:
        told = "a pickle runs whatever its author wrote, and is not read"
        mend = "docs/heads.md has the lines that convert it, for you to run where you trust it"
        raise HeadError(f"{source.folder / pickles[0]}: {told}; {mend}")
    return source.folder / found[0] if found else source.file(HEAD_FILE)


def load(path: Path, labels: Sequence[str], problem_type: ProblemType | None) -> onnx.ModelProto:
    """Read a head's file as a model of float32 or float64.

    Args:
        labels: the recipe's.
        problem_type: what the recipe states, which weights alone don't tell.

    Raises:
        HeadError: damaged, not accepted, or not a head.
    """
    if path.suffix == ".safetensors":
        return tensors_head.read(path, labels, problem_type)
    if path.suffix == ".skops":
        # A second to import.
        from export.head import skops_head

        return skops_head.read(path)
    content = regular_file.read(path, limits.HEAD_BYTES, HeadError)
    onnx_file.check_bytes(content, path, operators.HEAD, HeadError)
    # protobuf's exceptions and the checker's share no base.
    with naming(path, HeadError, "not an ONNX file", Exception):
        model = onnx.load_from_string(content)
        onnx.checker.check_model(model)
    _widen(model)
    return model


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]:
                yield from _graphs(inner)


def _widen(model: onnx.ModelProto) -> None:
    """Let float16 be float32, in place: exact for every number in the file, and rounds less between them.

    onnxruntime computes most of float16 in float32 on CPUs, and where it rounds differs from machine to
    machine; a merged graph and the reference could not agree to more than three digits.
    """
    for graph in _graphs(model.graph):
        for tensor in graph.initializer:
            _widen_tensor(tensor)
        for value in [*graph.input, *graph.output, *graph.value_info]:
            kinds = [value.type, value.type.sequence_type.elem_type] if value.HasField("type") else []
            for kind in kinds:
                if kind.tensor_type.elem_type == TensorProto.FLOAT16:
                    kind.tensor_type.elem_type = TensorProto.FLOAT
        for node in graph.node:
            for attribute in node.attribute:
                if attribute.HasField("t"):
                    _widen_tensor(attribute.t)
                if (node.op_type, attribute.name, attribute.i) == ("Cast", "to", TensorProto.FLOAT16):
                    attribute.i = TensorProto.FLOAT


def _widen_tensor(tensor: onnx.TensorProto) -> None:
    if tensor.data_type == TensorProto.FLOAT16:
        name, array = tensor.name, onnx.numpy_helper.to_array(tensor).astype("float32")
        tensor.CopyFrom(onnx.numpy_helper.from_array(array, name))
