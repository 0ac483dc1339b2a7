"""Pairs of weights, counted in a file's bytes: wherever they lie, and whatever reads them."""

from __future__ import annotations

import random

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from core.errors import ArtifactError
from core.untrusted.wire.operators import INTEGER_WEIGHTS, MICROSOFT
from verify.proof import saturation
from verify.proof.saturation import Pairs

SAFE = np.array([[64, -127, 0], [64, 127, 1], [0, 3, -9], [-128, 9, 7], [127, 127, 127]], np.int8)
UNSAFE = SAFE.copy()
UNSAFE[2:4, 1] = -100, -29
SAID = "weight w: column 1, rows 2 and 3: found -100 and -29, expected integers of one sign to add up to 128 "


def product(operator=(MICROSOFT, "MatMulIntegerToFloat"), weight="w", name="y"):
    domain, op_type = operator
    return helper.make_node(op_type, ["x"] * INTEGER_WEIGHTS[operator] + [weight], [name], domain=domain)


def tensor(array, name="w", raw=True):
    if raw:
        return numpy_helper.from_array(array, name)
    kind = helper.np_dtype_to_tensor_dtype(array.dtype)
    return helper.make_tensor(name, kind, array.shape, array.ravel().tolist())


def graph_of(nodes, tensors, inputs=("x",), name="g", outputs=("y",)):
    return helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info(each, TensorProto.FLOAT, ["n", 5]) for each in inputs],
        [helper.make_tensor_value_info(each, TensorProto.FLOAT, ["n", 3]) for each in outputs],
        tensors,
    )


@pytest.fixture
def write(tmp_path):
    def write(nodes, tensors, inputs=("x",), functions=()):
        domains = {"": 18, MICROSOFT: 1} | ({"own": 1} if functions else {})
        imports = [helper.make_opsetid(*item) for item in domains.items()]
        model = helper.make_model(
            graph_of(nodes, tensors, inputs), opset_imports=imports, ir_version=10, functions=list(functions)
        )
        path = tmp_path / "model.onnx"
        onnx.save(model, path)
        return path

    return write


@pytest.mark.parametrize("raw", [True, False], ids=["raw", "numbers"])
@pytest.mark.parametrize("operator", INTEGER_WEIGHTS)
def test_pairs_are_counted_of_each_operator(write, operator, raw):
    assert saturation.count(write([product(operator)], [tensor(SAFE, raw=raw)])) == Pairs(1, 6, 0, 0, None)
    found = saturation.count(write([product(operator)], [tensor(UNSAFE, raw=raw)]))
    assert found.stated() == {"weights": 1, "examined": 6, "can_saturate": 1, "unproven": 0}
    assert found.first.startswith(SAID)
    assert not found.is_safe


def branches(array, inside=()):
    """An `If` whose branches read one outer weight, or the inner one that hides it."""
    graphs = {
        f"{name}_branch": graph_of([product(name=name)], list(inside), (), name, (name,))
        for name in ("then", "else")
    }
    nodes = [helper.make_node("If", ["c"], ["y"], **graphs)]
    return nodes, [tensor(array), tensor(np.array(True), "c")]


def test_a_weight_that_both_branches_read_counts_once_and_an_inner_one_hides_it(write):
    found = saturation.count(write(*branches(UNSAFE)))
    assert (found.weights, found.examined, found.can_saturate) == (1, 6, 1)
    found = saturation.count(write(*branches(UNSAFE, [tensor(SAFE)])))
    assert (found.weights, found.can_saturate) == (2, 0)
    found = saturation.count(write(*branches(SAFE, [tensor(UNSAFE)])))
    assert (found.weights, found.can_saturate) == (2, 2)


def in_a_function():
    body = [helper.make_node("MatMulInteger", ["a", "b"], ["c"])]
    made = helper.make_function("own", "f", ["a", "b"], ["c"], body, [helper.make_opsetid("", 18)])
    return [helper.make_node("f", ["x", "w"], ["y"], domain="own")], [tensor(UNSAFE)], ("x",), [made]


@pytest.mark.parametrize(
    "made",
    [
        ([helper.make_node("Transpose", ["w"], ["t"]), product(weight="t")], [tensor(UNSAFE.T.copy())]),
        ([helper.make_node("DequantizeLinear", ["w", "s"], ["t"]),
          helper.make_node("MatMul", ["x", "t"], ["y"])],
         [tensor(UNSAFE), tensor(np.array(1, np.float32), "s")]),
        ([product()], [tensor(UNSAFE[None])]),
        ([product()], [tensor(UNSAFE.astype(np.int32))]),
        ([product()], [tensor(UNSAFE)], ("x", "w")),
        ([product(weight="x")], []),
        in_a_function(),
    ],
    ids=["transposed", "dequantized", "three dimensions", "int32", "an input too", "computed", "function"],
)  # fmt: skip
def test_what_cannot_be_looked_at_is_not_safe(write, made):
    found = saturation.count(write(*made))
    assert (found.weights, found.can_saturate, found.unproven, found.is_safe) == (0, 0, 1, False)
    assert "found none that is constant" in found.first


def test_an_activation_that_is_dequantized_and_weights_of_u8_are_no_pairs(write):
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s"], ["kept"]),
        product(),
    ]
    constants = [tensor(UNSAFE.astype(np.uint8)), tensor(np.array(1, np.float32), "s")]
    assert saturation.count(write(nodes, constants)) == Pairs(0, 0, 0, 0, None)


def test_a_graph_is_held_to_what_its_manifest_states(write):
    def check(array, stated, kind="linear"):
        path = write([product()], [tensor(array)])
        return saturation.check(path, stated, kind, "manifest.json: int8")

    safe = {"weights": 1, "examined": 6, "can_saturate": 0, "unproven": 0}
    assert check(SAFE, safe) == "none of 6 in 1 weights can saturate"
    with pytest.raises(ArtifactError, match=rf"model\.onnx: {SAID}"):
        check(UNSAFE, safe)
    for stated in ({}, [], "none", {**safe, "weights": 2}, {**safe, "more": 1}):
        with pytest.raises(
            ArtifactError, match=r"manifest\.json: int8: pairs: found .*, expected the graph's, {"
        ):
            check(SAFE, stated)
        with pytest.raises(ArtifactError, match=rf"model\.onnx: {SAID}"):
            check(UNSAFE, stated)
    unsafe = {**safe, "can_saturate": 1}
    with pytest.raises(ArtifactError, match=rf"model\.onnx: {SAID}"):
        check(UNSAFE, unsafe)
    # A head that stays a graph is merged as it is, and its release says so.
    said = "1 of 6 can saturate: answers may differ on CPUs without VNNI"
    assert check(UNSAFE, unsafe, "subgraph") == said
    with pytest.raises(ArtifactError, match=r"manifest\.json: int8: pairs"):
        check(UNSAFE, {**unsafe, "can_saturate": 2}, "subgraph")


def test_a_manifest_of_before_states_nothing_and_what_is_found_is_said(write):
    path = write([product()], [tensor(UNSAFE)])
    said = "not stated by the manifest; 1 of 6 can saturate: answers may differ on CPUs without VNNI"
    assert saturation.check(path, None, "linear", "x") == said
    assert saturation.check(write([product()], [tensor(SAFE)]), None, "linear", "x") == (
        "none of 6 in 1 weights can saturate"
    )
    path = write([helper.make_node("MatMul", ["x", "x"], ["y"])], [])
    assert saturation.check(path, None, "linear", "x") == "no products of integers"


def test_weights_without_rows_or_columns_have_no_pairs(write):
    for shape in ((0, 3), (3, 0), (0, 0), (1, 3)):
        for raw in (True, False):
            path = write([product()], [tensor(np.full(shape, 127, np.int8), raw=raw)])
            assert saturation.count(path) == Pairs(1, 0, 0, 0, None)


def test_a_file_that_is_cut_or_changed_is_an_error_or_another_count_and_nothing_else(write):
    path = write(*branches(UNSAFE, [tensor(SAFE, raw=False)]))
    content = path.read_bytes()
    chosen, counted = random.Random(0), 0
    spoiled = [content[:length] for length in range(0, len(content), 19)]
    for _ in range(200):
        changed = bytearray(content)
        changed[chosen.randrange(len(changed))] = chosen.randrange(256)
        spoiled.append(bytes(changed))
    for one in spoiled:
        path.write_bytes(one)
        try:
            counted += saturation.count(path).weights > 0
        except ArtifactError:
            continue
    assert 20 < counted < len(spoiled)
