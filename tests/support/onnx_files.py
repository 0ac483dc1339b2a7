"""ONNX files by hand: a small sound graph, and pieces of the wire format that no library writes."""

from __future__ import annotations

import time

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from core.errors import ArtifactError
from core.untrusted import onnx_file
from core.untrusted.wire import operators


def varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    made = bytearray()
    while number >= 128:
        made.append(number & 127 | 128)
        number >>= 7
    return bytes([*made, number])


def field(number: int, content: bytes) -> bytes:
    """A field of bytes, a text or a message."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def model(nodes=None, constants=None, *, outputs=("y",), **more) -> onnx.ModelProto:
    """A graph `y = x @ w` on float `[N, 4]`, or of the given nodes."""
    nodes = nodes or [helper.make_node("MatMul", ["x", "w"], ["y"], name="product")]
    constants = {"w": np.ones((4, 3), np.float32), **(constants or {})}
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", None]) for name in outputs],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    return helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 18)], **more)


def marked(content: bytes) -> bytes:
    """A model that begins with a name in which onnxruntime's mark of its own format is at byte 4."""
    made = field(2, b"\0\0ORTM" + bytes(64)) + content
    assert made[4:8] == b"ORTM"
    return made


def many_floats(count: int) -> bytes:
    """A model of one tensor, whose numbers are fields of their own, as old writers have them."""
    numbers = b"".join(varint(4 << 3 | 5) + np.float32(i).tobytes() for i in range(count))
    tensor = field(1, varint(count)) + varint(2 << 3) + varint(1) + field(8, b"w") + numbers
    return field(7, field(5, tensor)) + field(8, b"\x10\x12")


def nested(depth):
    """Graphs inside graphs, deeper than protobuf's library writes."""
    inner = b""
    for _ in range(depth):
        attribute = field(1, b"then_branch") + field(6, inner) + varint(20 << 3) + b"\x05"
        inner = field(1, field(4, b"If") + field(5, attribute))
    return field(7, inner)


def refused(content, message):
    """A model is refused within five seconds, and the message says why."""
    data = content if isinstance(content, bytes) else content.SerializeToString()
    start = time.process_time()
    with pytest.raises(ArtifactError, match=rf"^here: .*({message})"):
        onnx_file.check_bytes(data, "here", operators.GRAPH, ArtifactError)
    assert time.process_time() - start < 5


def outer_products():
    """A graph of a few hundred bytes that takes 4 TB: what its shapes ask for shows only when it runs."""
    nodes = [helper.make_node("Mul", ["row", "column"], ["a0"])]
    for level in range(2):
        shape = [f"row{level}", f"column{level}"]
        nodes += [
            helper.make_node("Reshape", [f"a{level}", "as_row"], [shape[0]]),
            helper.make_node("Reshape", [f"a{level}", "as_column"], [shape[1]]),
            helper.make_node("Mul", shape, [f"a{level + 1}"]),
        ]
    nodes.append(helper.make_node("ReduceSum", ["a2"], ["y"]))
    constants = {
        "row": np.ones((1, 32), np.float32),
        "column": np.ones((32, 1), np.float32),
        "as_row": np.array([1, -1]),
        "as_column": np.array([-1, 1]),
    }
    return model(nodes, constants)


def slow_to_open():
    """A graph of a megabyte that onnxruntime prepares for minutes: 15,000 products with one tensor."""
    made = model([helper.make_node("MatMul", ["x", "w"], ["v0"])], {"w": np.ones((4, 1500), np.float32)})
    made.graph.initializer.append(numpy_helper.from_array(np.ones((1500, 1500), np.float32), "m"))
    made.graph.node.extend(helper.make_node("MatMul", [f"v{i}", "m"], [f"v{i + 1}"]) for i in range(15_000))
    made.graph.node.append(helper.make_node("Identity", ["v15000"], ["y"]))
    return made


def _on_input(source, last):
    """Nodes that make `poison`, float 0, of `big`, which `last` makes of the largest number of an input."""
    return [
        helper.make_node("Cast", [source], ["poison_as_float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMax", ["poison_as_float"], ["poison_most"], keepdims=0),
        *last,
        helper.make_node("ReduceMax", ["poison_big"], ["poison_all"], keepdims=0),
        helper.make_node("Mul", ["poison_all", "poison_zero"], ["poison"]),
    ]


def memory_on_input(source):
    """Nodes that take 6 GB and more where an input holds a number above 0.1, and nothing on zeros."""
    last = [
        helper.make_node("Mul", ["poison_most", "poison_billions"], ["poison_many"]),
        helper.make_node("Max", ["poison_many", "poison_one"], ["poison_counted"]),
        helper.make_node("Cast", ["poison_counted"], ["poison_count"], to=TensorProto.INT64),
        helper.make_node("Reshape", ["poison_count", "poison_flat"], ["poison_shape"]),
        helper.make_node("Expand", ["poison_zero", "poison_shape"], ["poison_big"]),
    ]
    return _on_input(source, last)


def time_on_input(source, count=3_000):
    """Nodes that multiply for minutes, which nothing can do before there is an input."""
    last = [
        helper.make_node("Mul", ["poison_most", "poison_zero"], ["poison_nothing"]),
        helper.make_node("Expand", ["poison_nothing", "poison_square"], ["poison_big0"]),
        *(
            helper.make_node("MatMul", [f"poison_big{i}", "poison_big0"], [f"poison_big{i + 1}"])
            for i in range(count)
        ),
        helper.make_node("Identity", [f"poison_big{count}"], ["poison_big"]),
    ]
    return _on_input(source, last)


def poisoned(made, nodes, output):
    """Let a graph work through more nodes, and add the 0 that they make to a value that one node makes."""
    constants = {
        "poison_zero": np.array(0, np.float32),
        "poison_one": np.array(1, np.float32),
        "poison_billions": np.array(1.6e10, np.float32),
        "poison_flat": np.array([-1]),
        "poison_square": np.array([1400, 1400]),
    }
    made.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in constants.items())
    inside = [*nodes]
    for node in made.graph.node:
        inside.append(node)
        if output in node.output:
            node.output[list(node.output).index(output)] = f"{output}_before"
            inside.append(helper.make_node("Add", [f"{output}_before", "poison"], [output]))
    kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in inside]
    del made.graph.node[:]
    made.graph.node.extend(kept)
    return made
