"""The wire format itself: what our reader refuses, and that it reads what protobuf's library reads."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest

from core.untrusted import limits
from core.untrusted.wire.protobuf import WireError, read
from tests.support.onnx_files import field, many_floats, marked, model, nested, refused

WIRE = {
    "a field cut off": (field(7, b"")[:-1] + b"\xff", "cut off|no field"),
    "a length beyond the file": (b"\x3a\xff\xff\xff\xff\x0f", "cut off"),
    "a number of eleven bytes": (b"\x08" + b"\xff" * 11, "cut off"),
    "an unknown field": (b"\xf8\x07\x01", "Model has no field 127"),
    "a group": (b"\x3b", "wire type 3"),
    "a field of another type": (b"\x38\x01", "Model.graph: wire type 0"),
    "two graphs": (field(7, b"") * 2, "duplicate Model.graph"),
    "a name that is no UTF-8": (field(7, field(2, b"\xff")), "a name is not UTF-8"),
    "a device": (field(7, field(1, field(10, b""))), "Node.device_configurations is not accepted"),
    "devices": (field(7, b"") + field(26, b""), "Model.configuration is not accepted"),
    "annotations": (field(7, field(14, b"")), "Graph.quantization_annotation is not accepted"),
    "a size twice": (
        field(7, field(11, field(2, field(1, field(2, field(1, b"\x08\x01" + field(2, b"n"))))))),
        "Dimension has dim_value and dim_param",
    ),
    "two types": (
        field(7, field(11, field(2, field(1, b"") + field(4, b"")))),
        "Type has tensor_type and sequence_type",
    ),
    "graphs in graphs": (nested(100), "messages nested deeper than"),
    "no graph": (b"\x08\x0a", "has no graph"),
    "too many fields": (field(7, b"\x0a\x00" * (limits.MESSAGE_FIELDS + 1)), "more than .* fields"),
    "too many nodes": (
        b"\x08\x0a" + field(7, field(1, field(4, b"Relu")) * (limits.NODES + 1)),
        "more than 20,000 nodes",
    ),
    "too many axes": (field(7, field(5, field(1, b"\x01" * 3_000_000))), "more than .* fields"),
}


@pytest.mark.parametrize("case", WIRE)
def test_bytes_that_are_refused(case):
    refused(*WIRE[case])


def test_the_wire_reader_reads_what_protobuf_reads(artifact):
    path = artifact / "onnx" / "model.onnx"
    theirs, ours = onnx.load(path), read(path.read_bytes())
    assert [n["op_type"] for n in ours["graph"]["node"]] == [n.op_type for n in theirs.graph.node]
    assert [n["input"] for n in ours["graph"]["node"]] == [list(n.input) for n in theirs.graph.node]
    assert [t["dims"] for t in ours["graph"]["initializer"]] == [
        list(t.dims) for t in theirs.graph.initializer
    ]
    assert all(
        bytes(mine["raw_data"]) == their.raw_data
        for mine, their in zip(ours["graph"]["initializer"], theirs.graph.initializer, strict=True)
        if "raw_data" in mine
    )
    metadata = {entry["key"]: entry["value"] for entry in ours["metadata_props"]}
    assert metadata == {entry.key: entry.value for entry in theirs.metadata_props}
    assert json.loads(metadata["labels"])[0] == "admiration"


def test_one_file_has_one_reading():
    """Bytes with this mark are, to onnxruntime, a model of its own format, and a path to them one of ONNX."""
    made = model()
    made.ClearField("producer_name")
    refused(marked(made.SerializeToString()), "not an ONNX file: ORTM at byte 4 marks onnxruntime's own")


@pytest.mark.parametrize("count", [1, 2, 63, 64, 65, 4095, 4096, 4097, 200_000])
def test_numbers_in_fields_of_their_own(count):
    content = many_floats(count)
    (tensor,) = read(content)["graph"]["initializer"]
    joined = b"".join(bytes(view) for view in tensor["float_data"])
    np.testing.assert_array_equal(np.frombuffer(joined, np.float32), np.arange(count))
    assert list(onnx.load_model_from_string(content).graph.initializer[0].float_data[-1:]) == [count - 1]


def test_numbers_in_fields_of_their_own_cut_off():
    content = many_floats(5)
    with pytest.raises(WireError, match=r"cut off|no field"):
        read(content.replace(np.float32(4).tobytes(), b"\x00"))
