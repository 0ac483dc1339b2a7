"""Hostile ONNX graphs: as heads, and in place of an artifact's graph."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from onnx import AttributeProto, TensorProto, helper, numpy_helper

from tests.hostile.arena import CANARY
from tests.support.onnx_files import memory_on_input, poisoned, time_on_input

Change = Callable[[onnx.ModelProto], None]
_OUTSIDE = f"../../outside/{CANARY}"


def _add(model: onnx.ModelProto, *nodes: onnx.NodeProto) -> None:
    """Bring in nodes that make the float `poison`, which is added to the first output of floats."""
    output = next(v for v in model.graph.output if v.type.tensor_type.elem_type == TensorProto.FLOAT)
    poisoned(model, nodes, output.name)


def memory_on_real_input(model: onnx.ModelProto) -> None:
    """Take 6 GB and more, but not on zeros."""
    _add(model, *memory_on_input(model.graph.input[0].name))


def time_on_real_input(model: onnx.ModelProto) -> None:
    """Multiply for minutes, once there is an input."""
    _add(model, *time_on_input(model.graph.input[0].name))


def loop(model: onnx.ModelProto) -> None:
    """Loop for ever."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Identity", ["s"], ["t"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("s", TensorProto.FLOAT, []),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("t", TensorProto.FLOAT, []),
        ],
    )
    model.graph.initializer.append(numpy_helper.from_array(np.array(True), "yes"))
    model.graph.initializer.append(numpy_helper.from_array(np.float32(0), "start"))
    _add(model, helper.make_node("Loop", ["", "yes", "start"], ["poison"], body=body))


def _call(model: onnx.ModelProto, function: onnx.FunctionProto, **attributes: object) -> None:
    model.functions.append(function)
    if all(opset.domain != function.domain for opset in model.opset_import):
        model.opset_import.append(helper.make_opsetid(function.domain, 1))
    node = helper.make_node(function.name, [], ["poison"], domain=function.domain, **attributes)
    _add(model, node)


def _function(domain: str, name: str, *nodes: onnx.NodeProto, **more: object) -> onnx.FunctionProto:
    opsets = [helper.make_opsetid("", 18)]
    return helper.make_function(domain, name, [], ["made"], list(nodes), opsets, **more)


def random_numbers_in_a_function(domain: str, name: str = "Relu") -> Change:
    """Draw random numbers in a function that is named like an operator."""
    drawn = helper.make_node("RandomUniform", [], ["drawn"], shape=[1])
    summed = helper.make_node("ReduceSum", ["drawn"], ["made"], keepdims=0)
    return lambda model: _call(model, _function(domain, name, drawn, summed))


def overload(model: onnx.ModelProto) -> None:
    """Call one of two functions of one name."""
    inner = _function("own", "F", helper.make_node("Constant", [], ["made"], value_float=0.0))
    inner.overload = "second"
    _call(model, inner)
    model.functions.append(_function("own", "F", helper.make_node("Constant", [], ["made"], value_float=1.0)))
    for node in model.graph.node:
        if node.op_type == "F":
            node.overload = "second"


def _external(dtype: int = TensorProto.FLOAT) -> TensorProto:
    tensor = TensorProto(name="other", data_type=dtype, dims=[4], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=_OUTSIDE)
    return tensor


def other_file(model: onnx.ModelProto) -> None:
    """Read another file as a weight."""
    model.graph.initializer.append(_external())
    _add(model, helper.make_node("ReduceSum", ["other"], ["poison"], keepdims=0))


def other_file_in_an_attribute(model: onnx.ModelProto) -> None:
    """Read another file as the value of a constant."""
    constant = helper.make_node("Constant", [], ["other"], value=_external())
    _add(model, constant, helper.make_node("ReduceSum", ["other"], ["poison"], keepdims=0))


def other_file_in_a_default(model: onnx.ModelProto) -> None:
    """Read another file as the default of a function's attribute."""
    constant = helper.make_node("Constant", [], ["other"])
    reference = AttributeProto(name="value", type=AttributeProto.TENSOR, ref_attr_name="kept")
    constant.attribute.append(reference)
    function = _function("own", "F", constant, helper.make_node("ReduceSum", ["other"], ["made"], keepdims=0))
    function.attribute_proto.append(AttributeProto(name="kept", type=AttributeProto.TENSOR, t=_external()))
    _call(model, function)


def one_graph_many_times(model: onnx.ModelProto) -> None:
    """Let 600 conditions of a function refer to one graph of 100 nodes, given once."""
    branch = helper.make_graph(
        [
            helper.make_node("Constant", [], ["b0"], value_float=0.0),
            *(helper.make_node("Identity", [f"b{i}"], [f"b{i + 1}"]) for i in range(100)),
        ],
        "branch",
        [],
        [helper.make_tensor_value_info("b100", TensorProto.FLOAT, [])],
    )
    nodes = [
        helper.make_node("Constant", [], ["yes_i"], value_int=1),
        helper.make_node("Cast", ["yes_i"], ["yes"], to=TensorProto.BOOL),
    ]
    for index in range(600):
        node = helper.make_node("If", ["yes"], [f"c{index}"])
        for name in ("then_branch", "else_branch"):
            graph = AttributeProto.GRAPH
            node.attribute.append(AttributeProto(name=name, type=graph, ref_attr_name="given"))
        nodes.append(node)
    nodes.append(helper.make_node("Sum", [f"c{i}" for i in range(600)], ["made"]))
    _call(model, _function("own", "F", *nodes, attributes=["given"]), given=branch)


def ort_format(content: bytes) -> bytes:
    """Put onnxruntime's identifier at byte 4, as a field that ONNX's readers pass over."""
    # doc_string, 6 bytes long at the least: tag, length, two letters, the identifier.
    return b"\x32\x06\x00\x00ORTM" + content


def deep(model: onnx.ModelProto) -> None:
    """Put graphs inside graphs, deeper than the reader takes and not too deep for protobuf to write."""
    inner = helper.make_graph([], "end", [], [])
    for _ in range(20):
        inner = helper.make_graph([helper.make_node("If", ["c"], ["d"], then_branch=inner)], "g", [], [])
    model.graph.node.append(helper.make_node("If", ["c"], ["d"], then_branch=inner))


def escapes(model: onnx.ModelProto) -> None:
    """Give an unknown operator a name that clears a terminal and begins a line of its own."""
    node = helper.make_node("Evil\x1b[2J\nerror: all is well", [], ["poison"], name="n\x1b]0;x\x07\r\n")
    _add(model, node)


def own_domain(model: onnx.ModelProto) -> None:
    """Use an operator of a library that would have to be loaded."""
    model.opset_import.append(helper.make_opsetid("own.ops", 1))
    _add(model, helper.make_node("Load", [], ["poison"], domain="own.ops"))


# What is changed, and what the refusal says.
STATIC: dict[str, tuple[Change, str]] = {
    "loops for ever": (loop, "Loop"),
    "random numbers in a function named Relu": (random_numbers_in_a_function(""), "Relu|function"),
    "random numbers in a function of ai.onnx": (random_numbers_in_a_function("ai.onnx"), "ai.onnx"),
    "random numbers in a function of its own domain": (
        random_numbers_in_a_function("own"),
        "RandomUniform",
    ),
    "an overloaded function": (overload, "overload|duplicate"),
    "a weight in another file": (other_file, "another file|external|outside"),
    "a constant in another file": (other_file_in_an_attribute, "another file|external|outside"),
    "a default in another file": (other_file_in_a_default, "another file|external|outside|default"),
    "one graph used 600 times": (one_graph_many_times, "nodes|graph|refers"),
    "graphs in graphs": (deep, "nested|deep"),
    "names with escapes and line breaks": (escapes, "operator"),
    "an operator of another library": (own_domain, "own.ops"),
}
# What shows on real input alone.
RUNNING: dict[str, tuple[Change, str]] = {
    "6 GB on real input": (memory_on_real_input, "memory|MB|GB|ended|refused"),
    "minutes on real input": (time_on_real_input, "second| s\\b|time|ended|refused"),
}
