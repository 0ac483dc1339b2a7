"""Hostile ONNX graphs: as heads, and in place of an artifact's graph."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from onnx import AttributeProto, TensorProto, helper, numpy_helper

from tests.hostile.arena import CANARY

Change = Callable[[onnx.ModelProto], None]
_OUTSIDE = f"../../outside/{CANARY}"


def _entry(model: onnx.ModelProto) -> onnx.ValueInfoProto:
    return model.graph.input[0]


def _into_an_output(model: onnx.ModelProto, nodes: list[onnx.NodeProto], scalar: str) -> None:
    """Add nodes whose `scalar` (float, rank 0) is added to a float output, times zero."""
    output = next(v for v in model.graph.output if v.type.tensor_type.elem_type == TensorProto.FLOAT)
    for node in model.graph.node:
        node.output[:] = ["sound_" + name if name == output.name else name for name in node.output]
        node.input[:] = ["sound_" + name if name == output.name else name for name in node.input]
    model.graph.initializer.append(numpy_helper.from_array(np.float32(0), "nothing"))
    model.graph.node.extend(nodes)
    model.graph.node.append(helper.make_node("Mul", [scalar, "nothing"], ["no_scalar"]))
    sound = helper.make_node("Add", ["sound_" + output.name, "no_scalar"], [output.name])
    model.graph.node.append(sound)


def _size(model: onnx.ModelProto, of_others: int) -> list[onnx.NodeProto]:
    """Nodes that make `made_size`, int64 `[1]`: 1 for an input of zeros, `of_others` else."""
    numbers = {"made_zero": np.float32(0), "made_axis": np.array([0]), "made_one": np.array([1])}
    numbers["made_many"] = np.array([of_others])
    model.graph.initializer.extend(numpy_helper.from_array(a, n) for n, a in numbers.items())
    entry = _entry(model).name
    return [
        helper.make_node("Cast", [entry], ["made_float"], to=TensorProto.FLOAT),
        helper.make_node("Abs", ["made_float"], ["made_abs"]),
        helper.make_node("ReduceMax", ["made_abs"], ["made_max"], keepdims=0),
        helper.make_node("Greater", ["made_max", "made_zero"], ["made_other"]),
        helper.make_node("Where", ["made_other", "made_many", "made_one"], ["made_size"]),
    ]


def memory_on_real_input(model: onnx.ModelProto) -> None:
    """Take 8 GB, but not on zeros."""
    nodes = _size(model, 1 << 31)
    nodes += [
        helper.make_node("Expand", ["made_float_one", "made_size"], ["made_large"]),
        helper.make_node("ReduceSum", ["made_large"], ["made_sum"], keepdims=0),
    ]
    model.graph.initializer.append(numpy_helper.from_array(np.ones(1, np.float32), "made_float_one"))
    _into_an_output(model, nodes, "made_sum")


def time_on_real_input(model: onnx.ModelProto) -> None:
    """Multiply for hours, but not on zeros."""
    nodes = _size(model, 3000)
    model.graph.initializer.append(numpy_helper.from_array(np.full((1, 1), 1e-4, np.float32), "made_tiny"))
    nodes += [
        helper.make_node("Concat", ["made_size", "made_size"], ["made_square"], axis=0),
        helper.make_node("Expand", ["made_tiny", "made_square"], ["made_0"]),
        *(helper.make_node("MatMul", [f"made_{i}", "made_0"], [f"made_{i + 1}"]) for i in range(5000)),
        helper.make_node("ReduceSum", ["made_5000"], ["made_sum"], keepdims=0),
    ]
    _into_an_output(model, nodes, "made_sum")


def _scalar_of(model: onnx.ModelProto, node: onnx.NodeProto) -> None:
    """Bring in a node that makes the float `made_sum`."""
    _into_an_output(model, [node], "made_sum")


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
    _scalar_of(model, helper.make_node("Loop", ["", "yes", "start"], ["made_sum"], body=body))


def _call(model: onnx.ModelProto, function: onnx.FunctionProto, **attributes: object) -> None:
    model.functions.append(function)
    if all(opset.domain != function.domain for opset in model.opset_import):
        model.opset_import.append(helper.make_opsetid(function.domain, 1))
    node = helper.make_node(function.name, [], ["made_sum"], domain=function.domain, **attributes)
    _scalar_of(model, node)


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
    _scalar_of(model, helper.make_node("ReduceSum", ["other"], ["made_sum"], keepdims=0))


def other_file_in_an_attribute(model: onnx.ModelProto) -> None:
    """Read another file as the value of a constant."""
    model.graph.node.append(helper.make_node("Constant", [], ["other"], value=_external()))
    _scalar_of(model, helper.make_node("ReduceSum", ["other"], ["made_sum"], keepdims=0))


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
    """Put graphs inside graphs."""
    inner = helper.make_graph([], "end", [], [])
    for _ in range(45):
        inner = helper.make_graph([helper.make_node("If", ["c"], ["d"], then_branch=inner)], "g", [], [])
    model.graph.node.append(helper.make_node("If", ["c"], ["d"], then_branch=inner))


def escapes(model: onnx.ModelProto) -> None:
    """Give an unknown operator a name that clears a terminal and begins a line of its own."""
    node = helper.make_node("Evil\x1b[2J\nerror: all is well", [], ["made_sum"], name="n\x1b]0;x\x07\r\n")
    _scalar_of(model, node)


def own_domain(model: onnx.ModelProto) -> None:
    """Use an operator of a library that would have to be loaded."""
    model.opset_import.append(helper.make_opsetid("own.ops", 1))
    _scalar_of(model, helper.make_node("Load", [], ["made_sum"], domain="own.ops"))


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
    "8 GB on real input": (memory_on_real_input, "memory|MB|GB|ended|refused"),
    "hours on real input": (time_on_real_input, "second| s\\b|time|ended|refused"),
}
