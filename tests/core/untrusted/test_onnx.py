"""Untrusted ONNX files: everything inside, within the limits, of known operators."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper

from core.errors import ArtifactError
from core.untrusted import onnx_file
from core.untrusted.wire import operators
from tests.support.onnx_files import model, refused

node = helper.make_node


def changed(change):
    made = model()
    change(made)
    return made


def branch(inner, name="z"):
    """A node `If` with a graph inside, which may read what is outside."""
    outputs = [helper.make_tensor_value_info(inner[-1].output[0], TensorProto.FLOAT, None)] if inner else []
    made = helper.make_graph(inner, "inner", [], outputs)
    return node("If", ["c"], [name], then_branch=made, else_branch=made)


def external(location):
    def change(made):
        tensor = made.graph.initializer[0]
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=location)

    return changed(change)


@pytest.mark.parametrize("location", ["/etc/passwd", "../weights", "weights.bin", "link", ""])
def test_data_in_other_files_are_refused_wherever_they_lie(location):
    refused(
        external(location), f"initializer 'w': its data are in another file, {location!r}, which is never"
    )


def test_external_data_beside_inner_ones():
    made = model()
    made.graph.initializer[0].external_data.add(key="location", value="x")
    refused(made, "its data are in another file")


def test_the_data_of_an_attribute_may_not_be_elsewhere():
    tensor = external("/etc/passwd").graph.initializer[0]
    refused(model([node("Constant", [], ["w2"], value=tensor), *model().graph.node]), "in another file")


TENSORS = {
    "a huge axis": ([1 << 40, 3], "shape .* elements, expected at most"),
    "a negative axis": ([-4, 3], "found shape"),
    "axes whose product overflows": ([1 << 32, 1 << 32, 3], "elements, expected at most"),
    "a zero that hides a huge axis": ([0, 1 << 40], "elements, expected at most"),
    "another shape than the data": ([4, 2], "takes 32 bytes, found 48"),
    "no axis": ([], "takes 4 bytes, found 48"),
    "many axes": ([1] * 40, "found shape"),
}


@pytest.mark.parametrize("case", TENSORS)
def test_tensors_that_are_not_what_they_state(case):
    dims, message = TENSORS[case]

    def change(made):
        del made.graph.initializer[0].dims[:]
        made.graph.initializer[0].dims.extend(dims)

    refused(changed(change), f"initializer 'w': .*{message}")


@pytest.mark.parametrize("kind", [0, 14, 17, 23, 24, 1000, -1])
def test_element_types_that_are_not_accepted(kind):
    refused(changed(lambda made: setattr(made.graph.initializer[0], "data_type", kind)), "element type")


def test_data_twice_or_in_pieces():
    refused(changed(lambda made: made.graph.initializer[0].float_data.append(1.0)), "duplicate data")
    refused(
        changed(lambda made: setattr(made.graph.initializer[0].segment, "begin", 1)), "Tensor.segment is not"
    )


def test_a_tensor_of_the_wrong_field():
    made = model()
    tensor = made.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.int64_data.extend([1] * 12)
    refused(made, "found int64_data, expected float_data")


NODES = {
    "an unknown operator": ([node("Evil", ["x"], ["y"])], "operator 'Evil' is not one"),
    "an unknown domain": ([node("Run", ["x"], ["y"], domain="evil")], r"operator 'evil\.Run' is not one"),
    "a loop": ([node("Loop", ["n", "c", "x"], ["y"])], "operator 'Loop' is not one"),
    "chance": ([node("RandomUniformLike", ["x"], ["y"])], "operator 'RandomUniformLike' is not one"),
    "a value twice": ([node("Relu", ["x"], ["y"]), node("Relu", ["x"], ["y"])], "duplicate value 'y'"),
    "an input made again": ([node("Relu", ["x"], ["x"])], "duplicate value 'x'"),
    "nothing to read": ([node("Relu", ["nothing"], ["y"])], "reads 'nothing', which nothing before it makes"),
    "a circle": ([node("Relu", ["y"], ["y"])], "reads 'y'"),
    "an output that is not made": ([node("Relu", ["x"], ["other"])], "output 'y' is nothing that"),
    "an operator inside a branch": ([branch([node("Evil", ["x"], ["i"])], "y")], "node 'i' .*'Evil' is not"),
    "a value twice inside": ([branch([node("Relu", ["x"], ["x"])], "y")], "duplicate value 'x'"),
}


@pytest.mark.parametrize("case", NODES)
def test_nodes_that_are_refused(case):
    nodes, message = NODES[case]
    refused(model(nodes, {"c": np.array(True), "n": np.array(1)}), message)


def test_a_branch_may_read_what_is_outside_and_its_tensors_are_looked_at():
    sound = model([branch([node("Relu", ["x"], ["i"])], "y")], {"c": np.array(True)})
    onnx_file.check_bytes(sound.SerializeToString(), "here", operators.GRAPH, ArtifactError)
    for attribute in sound.graph.node[0].attribute:
        attribute.g.initializer.add(name="huge", data_type=1, dims=[1 << 50])
    refused(sound, "initializer 'huge': shape")


BOMBS = {
    "ConstantOfShape": (["n"], [1 << 20, 1 << 20]),
    "Expand": (["x", "n"], [1 << 30, 1]),
    "Tile": (["x", "n"], [1 << 30, 1]),
    "Pad": (["x", "n"], [0, 0, 1 << 40, 0]),
    "OneHot": (["w", "n", "w"], [1 << 40]),
}


@pytest.mark.parametrize("operator", BOMBS)
@pytest.mark.parametrize("form", ["raw", "typed", "constant"])
def test_much_out_of_little(operator, form):
    inputs, numbers = BOMBS[operator]
    made = model([node(operator, inputs, ["y"])], {"n": np.array(numbers, np.int64)})
    if form == "typed":
        made.graph.initializer[1].ClearField("raw_data")
        made.graph.initializer[1].int64_data.extend(numbers)
    if form == "constant":
        tensor = made.graph.initializer.pop()
        made.graph.node.insert(0, node("Constant", [], ["n"], value=tensor))
    refused(made, f"{operator} makes [0-9,]+ elements, expected at most")


@pytest.mark.parametrize("kind", [np.int64, np.float32, np.float64, np.int32])
def test_a_range_without_end(kind):
    numbers = {name: np.array(value).astype(kind) for name, value in (("a", 0), ("b", 2**30), ("d", 1))}
    refused(model([node("Range", ["a", "b", "d"], ["y"])], numbers), "Range makes [0-9,]+ elements")
    numbers["d"] = np.array(0).astype(kind)
    refused(model([node("Range", ["a", "b", "d"], ["y"])], numbers), "Range makes inf elements")


def test_names_and_types():
    refused(
        changed(lambda made: made.graph.initializer.append(made.graph.initializer[0])),
        "duplicate initializer 'w'",
    )
    refused(changed(lambda made: made.graph.input.append(made.graph.input[0])), "duplicate input 'x'")
    refused(changed(lambda made: made.graph.output.append(made.graph.output[0])), "duplicate output 'y'")
    refused(
        changed(lambda made: setattr(made.graph.initializer[0], "name", "")), "initializer without a name"
    )

    def huge(made):
        made.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1 << 60

    refused(changed(huge), "value 'x': shape")
    refused(changed(lambda made: made.graph.sparse_initializer.add()), "sparse_initializer is not accepted")
    for version in (0, 2, -1, 256):
        refused(changed(lambda made, v=version: setattr(made, "ir_version", v)), f"ir_version {version}, exp")
    refused(
        changed(lambda made: setattr(made, "ir_version", 3)), "initializer 'w' is no input, as ir_version 3"
    )
    refused(changed(lambda made: made.training_info.add()), "training_info is not accepted")
    refused(changed(lambda made: made.opset_import.add(domain="evil", version=1)), "operators of 'evil'")
    refused(
        changed(lambda made: [made.metadata_props.add(key="a", value="b") for _ in "12"]), "duplicate key"
    )
    refused(changed(lambda made: made.metadata_props.add(key="ort_config", value="{}")), "'ort_config'")


def no_type(made):
    made.graph.output[0].ClearField("type")


def an_empty_type(made):
    made.graph.output[0].type.Clear()


def no_shape(made):
    made.graph.input[0].type.tensor_type.ClearField("shape")


@pytest.mark.parametrize("change", [no_type, an_empty_type, no_shape])
def test_inputs_and_outputs_state_whole_types(change):
    refused(changed(change), "states no whole type")
