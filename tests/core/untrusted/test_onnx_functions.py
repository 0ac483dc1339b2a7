"""Functions that an ONNX file brings along: looked into, counted in full, never in an operator's place."""

from __future__ import annotations

import time

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnxruntime.capi import onnxruntime_pybind11_state

from core.errors import ArtifactError
from core.untrusted import onnx_file
from core.untrusted.wire import functions, operators
from tests.support.onnx_files import model, refused

node = helper.make_node
RELU = [node("Relu", ["x"], ["y"])]
HUGE = TensorProto(name="huge", data_type=1, dims=[1 << 50])
ELSEWHERE = TensorProto(name="else", data_type=1, dims=[4], data_location=TensorProto.EXTERNAL)
ELSEWHERE.external_data.add(key="location", value="weights.bin")


def function(name, nodes, domain="f", **more):
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("f", 1)]
    return helper.make_function(domain, name, ["x"], ["y"], nodes, opsets, **more)


def calls(name, count, domain="f", **attributes):
    return [node(name, ["x"], [f"v{i}" if i else "y"], domain=domain, **attributes) for i in range(count)]


def calling(*made, nodes=None, domain="f"):
    """A model of one call of `F`, and the functions."""
    found = model(nodes or calls("F", 1, domain), functions=made)
    if domain not in operators.GRAPH:
        found.opset_import.add(domain=domain, version=1)
    return found


def graph(nodes=RELU):
    """A graph in an attribute, which makes `y` and may read `x`."""
    return helper.make_graph(nodes, "g", [], [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)])


def read(made):
    onnx_file.check_bytes(made.SerializeToString(), "here", operators.GRAPH, ArtifactError)


def test_functions_are_looked_into():
    made = calling(function("F", RELU))
    read(made)
    made.functions[0].node[0].op_type = "Evil"
    refused(made, "function 'F': node 'y' .*'Evil' is not one")
    made.functions[0].CopyFrom(function("F", calls("F", 1)))
    refused(made, "functions call each other in a circle or over 32 deep: 'F' and 0 others")
    made.functions[0].CopyFrom(function("F", [node("Relu", ["x"], ["other"])]))
    refused(made, "function 'F': output 'y' is nothing that it makes")


def test_functions_that_call_functions_grow_without_end():
    made = calling(nodes=calls("F0", 1))
    for level in range(20):
        inner = calls(f"F{level + 1}", 10) if level < 19 else RELU
        made.functions.append(function(f"F{level}", inner))
    assert len(made.SerializeToString()) < 20_000
    refused(made, "more than 20,000 nodes")


def test_functions_that_call_each_other_deep_are_refused_at_once():
    made = calling(nodes=calls("F0", 1))
    made.functions.extend(function(f"F{i}", calls(f"F{i + 1}", 1)) for i in range(9_000))
    made.functions.append(function("F9000", RELU))
    start = time.process_time()
    refused(made, "in a circle or over 32 deep: 'F0' and 8968 others")
    assert time.process_time() - start < 5


@pytest.mark.parametrize("domain", ["", "ai.onnx", "ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc"])
@pytest.mark.parametrize("name", ["Relu", "Loop", "F"])
def test_no_function_in_a_domain_that_the_runtime_knows(domain, name):
    loop = [node("RandomUniformLike", ["x"], ["y"])]
    for body in (RELU, loop):
        made = model(calls(name, 1, domain), functions=[function(name, body, domain)])
        refused(made, "is onnxruntime's own|not one of those|not accepted")


def test_every_domain_of_the_runtime_is_taken():
    known = onnxruntime_pybind11_state
    found = {schema.domain for schema in [*known.get_all_operator_schema(), *onnx.defs.get_all_schemas()]}
    assert len(found) > 5
    assert all(map(functions.is_taken, found))
    assert not any(map(functions.is_taken, ["f", "pkg.onnxscript.torch_lib", "ai.onnxx", "community"]))


def test_overloads_are_refused():
    made = calling(function("F", RELU, overload="o"))
    refused(made, "function 'F': found overload 'o'")
    made = calling(function("F", RELU))
    made.graph.node[0].overload = "o"
    refused(made, r"node 'y' \(F\): found overload 'o'")


DEFAULTS = {
    "a graph": (graph(), "a graph that is handed to a function"),
    "graphs": ([graph(), graph()], "a graph that is handed to a function"),
    "a tensor elsewhere": (ELSEWHERE, "in another file, 'weights.bin'"),
    "tensors elsewhere": ([ELSEWHERE], "in another file, 'weights.bin'"),
    "a huge tensor": (HUGE, "elements, expected at most"),
}


@pytest.mark.parametrize("case", DEFAULTS)
def test_what_an_attribute_holds_is_looked_at_wherever_it_stands(case):
    value, message = DEFAULTS[case]
    default = helper.make_attribute("a", value)
    refused(
        calling(function("F", RELU, attribute_protos=[default])), f"function 'F': attribute 'a': .*{message}"
    )
    given = calling(function("F", RELU, attributes=["a"]), nodes=calls("F", 1, a=value))
    refused(given, f"node 'y' .F.: attribute 'a': .*{message}")
    if "graph" not in case:
        refused(model([*calls("Constant", 0), node("Relu", ["x"], ["y"], a=value)]), message)


def test_one_graph_is_not_used_many_times():
    """A graph that a call hands over would be counted once, and run once for each reference to it."""
    body = [node("If", ["c"], ["y"], name="if")]
    for name in ("then_branch", "else_branch"):
        body[0].attribute.add(name=name, ref_attr_name="a", type=onnx.AttributeProto.GRAPH)
    refused(calling(function("F", body, attributes=["a"])), "refers to 'a', found g in it|reads 'c'")
    body[0].input[:] = ["x"]
    refused(calling(function("F", body, attributes=["a"])), "attribute 'then_branch': refers to 'a', found g")
    for attribute in body[0].attribute:
        attribute.type = onnx.AttributeProto.INT
    made = calling(function("F", body, attributes=["a"]), nodes=calls("F", 1, a=graph()))
    refused(made, "a graph that is handed to a function")


def reference(name, kind=onnx.AttributeProto.INT):
    made = node("Softmax", ["x"], ["y"])
    made.attribute.add(name="axis", ref_attr_name=name, type=kind)
    return made


def test_references_are_to_a_functions_own_attributes():
    read(calling(function("F", [reference("a")], attributes=["a"]), nodes=calls("F", 1, a=1)))
    read(calling(function("F", [reference("a")], attribute_protos=[helper.make_attribute("a", 1)])))
    refused(
        calling(function("F", [reference("b")], attributes=["a"])), "refers to 'b', which is no attribute"
    )
    refused(model([reference("a")]), "refers to 'a', which is no attribute")
    twice = reference("a")
    twice.attribute[0].i = 1
    refused(calling(function("F", [twice], attributes=["a"])), "refers to 'a', found i in it")
    both = function("F", RELU, attributes=["a"], attribute_protos=[helper.make_attribute("a", 1)])
    refused(calling(both), "duplicate attribute 'a'")


def test_an_attribute_is_what_it_states():
    for kind, message in ((0, "found type 0"), (onnx.AttributeProto.INTS, "found i, expected ints")):
        made = model([node("Softmax", ["x"], ["y"], axis=1)])
        made.graph.node[0].attribute[0].type = kind
        refused(made, f"attribute 'axis': {message}")
    made = model([node("Softmax", ["x"], ["y"], axis=1)])
    made.graph.node[0].attribute[0].g.CopyFrom(graph())
    refused(made, "found i, g, expected i")


def test_imports():
    made = model()
    del made.opset_import[:]
    refused(made, "operators of '' are not imported")
    for domain in ("", "ai.onnx"):
        made = model()
        made.opset_import.add(domain=domain, version=18)
        read(made)
        made.opset_import[1].version = 17
        refused(made, f"operators of '{domain}': version 17, and 18 before")
    for version in (0, -1, 256, 1 << 40):
        made = model()
        made.opset_import[0].version = version
        refused(made, f"operators of '': version {version}, expected 1 to 255")
    made = model([node("Relu", ["x"], ["y"], domain="ai.onnx")])
    refused(made, "operators of 'ai.onnx' are not imported")
    made.opset_import[0].domain = "ai.onnx"
    read(made)
    made.graph.node[0].domain = ""
    read(made)
    made = calling(function("F", RELU))
    del made.functions[0].opset_import[:]
    refused(made, "function 'F': node 'y' .*operators of '' are not imported")
    made.functions[0].opset_import.extend([helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx", 9)])
    refused(made, "function 'F': operators of 'ai.onnx': version 9, and 18 before")
    made.functions[0].opset_import.pop()
    made.functions[0].opset_import[0].version = 17
    refused(made, "function 'F': operators of '': version 17, and 18 outside")


def test_a_branch_knows_the_constants_around_it():
    inner = graph([node("Expand", ["x", "n"], ["y"])])
    made = model(
        [node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)],
        {"n": np.array([1 << 40]), "c": np.array(True)},
    )
    refused(made, "Expand makes [0-9,]+ elements")


@pytest.mark.parametrize("training", [None, "", "off", "on", "x"])
def test_nothing_is_dropped_at_random(training):
    inputs = ["x", "", *([] if training is None else [training])]
    made = model([node("Dropout", inputs, ["y"])], {"off": np.array(False), "on": np.array(True)})
    if training in (None, "", "off"):
        read(made)
    else:
        refused(made, "drops out at random")


def test_operators_that_the_runtime_has_before_the_standard():
    first, theirs = {}, {}
    for schemas, found in (
        (onnx.defs.get_all_schemas_with_history(), first),
        (onnxruntime_pybind11_state.get_all_operator_schema(), theirs),
    ):
        for schema in schemas:
            if schema.domain == "" and schema.name in operators.STANDARD_OPERATORS:
                found[schema.name] = min(schema.since_version, found.get(schema.name, 999))
    assert {name: since for name, since in first.items() if theirs[name] < since} == operators.SINCE
    made = model([node("ThresholdedRelu", ["x"], ["y"])])
    read(made)
    made.opset_import[0].version = 9
    refused(made, "operator 'ThresholdedRelu' is there from version 10 on, found 9")
