"""Attacks in ONNX files, whole: an artifact's graph through the command line, a head through make."""

from __future__ import annotations

import json
import os
import resource
from pathlib import Path

import onnx
import pytest
from onnx import AttributeProto, TensorProto, helper

from tests.support import artifacts
from tests.support.building import make, places
from tests.support.commands import run
from tests.support.factories import Shape, write_checkpoint, write_head, write_recipe
from tests.support.onnx_files import marked

node = helper.make_node
SECRET = "weights.bin"


def call_of(
    model: onnx.ModelProto, body: list[onnx.NodeProto], name="F", domain="f", **more
) -> onnx.NodeProto:
    """Let the graph's first node read what a function of the file's own makes of its input."""
    opsets = [helper.make_opsetid("", model.opset_import[0].version)]
    model.functions.append(helper.make_function(domain, name, ["x"], ["y"], body, opsets, **more))
    if domain == "f":
        model.opset_import.add(domain="f", version=1)
    first = model.graph.node[0]
    given, first.input[0] = first.input[0], "attacked"
    model.graph.node.insert(0, node(name, [given], ["attacked"], domain=domain))
    return model.graph.node[0]


def another_format(model):
    model.ClearField("producer_name")
    return marked(model.SerializeToString())


def named_like_an_operator(domain):
    def attack(model):
        call_of(model, [node("RandomNormalLike", ["x"], ["y"])], "Identity", domain)

    return attack


def overloaded(model):
    call_of(model, [node("Identity", ["x"], ["y"])], overload="o").overload = "o"


def file_in_a_default(model):
    tensor = TensorProto(name="t", data_type=1, dims=[1], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=SECRET)
    constant = node("Constant", [], ["c"])
    constant.attribute.add(name="value", ref_attr_name="a", type=AttributeProto.TENSOR)
    body = [constant, node("Identity", ["x"], ["y"])]
    call_of(model, body, attribute_protos=[helper.make_attribute("a", tensor)])


def loop_in_a_default(model):
    loop = helper.make_graph([node("Loop", ["", ""], ["z"])], "g", [], [])
    call_of(model, [node("Identity", ["x"], ["y"])], attribute_protos=[helper.make_attribute("a", loop)])


def one_graph_many_times(model):
    chain = [node("Identity", ["x"], ["z0"])]
    chain += [node("Identity", [f"z{i}"], [f"z{i + 1}"]) for i in range(100)]
    graph = helper.make_graph(chain, "g", [], [helper.make_tensor_value_info("z100", 1, None)])
    body = [node("Constant", [], ["c"], value=helper.make_tensor("c", TensorProto.BOOL, [], [True]))]
    for number in range(600):
        body.append(node("If", ["c"], [f"y{number}"]))
        for name in ("then_branch", "else_branch"):
            body[-1].attribute.add(name=name, ref_attr_name="a", type=AttributeProto.GRAPH)
    body.append(node("Identity", ["x"], ["y"]))
    call_of(model, body, attributes=["a"]).attribute.append(helper.make_attribute("a", graph))


def two_versions(model):
    model.opset_import.add(domain="ai.onnx", version=9)


def chance(model):
    model.graph.initializer.append(helper.make_tensor("on", TensorProto.BOOL, [], [True]))
    first = model.graph.node[0]
    given, first.input[0] = first.input[0], "dropped"
    model.graph.node.insert(0, node("Dropout", [given, "", "on"], ["dropped"]))


def a_name_for_the_terminal(model):
    model.graph.node[0].name = "\x1b[2J\n\r\u202e" + " " * (1 << 20) + "\nerror: all is well"
    model.graph.node[0].op_type = "Evil\n\x07"


ATTACKS = {
    "another format": (another_format, "ORTM at byte 4 marks onnxruntime's own format"),
    "a standard name": (named_like_an_operator(""), "function 'Identity': domain '' is onnxruntime's own"),
    "a name beside it": (named_like_an_operator("ai.onnx"), "domain 'ai.onnx' is onnxruntime's own"),
    "an overload": (overloaded, "function 'F': found overload 'o', expected none"),
    "a file": (file_in_a_default, f"attribute 'a': its data are in another file, '{SECRET}'"),
    "a loop": (loop_in_a_default, "attribute 'a': a graph that is handed to a function is not accepted"),
    "much of little": (one_graph_many_times, "refers to 'a', found g in it"),
    "two versions": (two_versions, "version 9, and 18 before"),
    "chance": (chance, "drops out at random"),
    "a name": (a_name_for_the_terminal, "is not one of those accepted"),
}


def seconds() -> float:
    """Processor time of what this process has run: other work on the machine is none of it."""
    return sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])


def attacked(path: Path, case: str) -> str:
    """Attack a file; return what must be said of it."""
    attack, said = ATTACKS[case]
    model = onnx.load(path)
    path.write_bytes(attack(model) or model.SerializeToString())
    (path.parent / SECRET).write_bytes(bytes(4))
    return said


def assert_one_line(found, path: Path, said: str, began: float) -> None:
    assert seconds() - began < 10
    lines = [line for line in found.stderr.split("\n") if line and not line.startswith("make: ***")]
    assert len(lines) == 1, found.stderr
    assert lines[0].startswith("error: ")
    assert path.name in lines[0]
    assert said in lines[0]
    assert len(lines[0]) < 5_000
    assert lines[0].isprintable()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return artifacts.artifact(tmp_path_factory.mktemp("tiny") / "tiny", {"fp32": 0.0})


@pytest.mark.parametrize("case", ATTACKS)
def test_an_artifacts_graph(tiny, tmp_path, case):
    folder = tmp_path / "attacked"
    folder.mkdir()
    for path in tiny.rglob("*"):
        if path.is_file():
            (folder / path.relative_to(tiny)).parent.mkdir(exist_ok=True)
            (folder / path.relative_to(tiny)).write_bytes(path.read_bytes())
    graph = folder / "onnx/model.onnx"
    said = attacked(graph, case)
    began = seconds()
    found = run("verify", "parity", os.path.relpath(folder))
    assert found.returncode == 2
    assert_one_line(found, graph, said, began)


@pytest.mark.slow
@pytest.mark.parametrize("case", ATTACKS)
def test_a_head_through_make(tmp_path, case):
    write_checkpoint(tmp_path / "encoder", Shape(), "cls")
    write_head(tmp_path / "head", ["joy", "anger"], Shape().hidden)
    recipe = write_recipe(tmp_path / "tiny", ["joy", "anger"], "path:../encoder", "path:../head")
    head = tmp_path / "head/model.onnx"
    said = attacked(head, case)
    began = seconds()
    found = make("artifact", RECIPE=recipe, **places(tmp_path))
    assert found.returncode == 2
    assert_one_line(found, head, said, began)
    assert not (places(tmp_path)["DIST"]).exists()
    assert json.loads((tmp_path / "head/thresholds.json").read_text())
