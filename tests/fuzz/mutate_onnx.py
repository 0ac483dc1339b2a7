"""Mutations of ONNX models: nodes, tensors, values and metadata renamed, dropped, retyped and resized."""

from __future__ import annotations

from random import Random

import onnx
from onnx import TensorProto, helper

from core.untrusted.wire.operators import HEAD_OPERATORS, MICROSOFT_OPERATORS, STANDARD_OPERATORS
from tests.fuzz import mutate_functions

_SIZES = (0, 1, 2, 3, 7, -1, 1 << 16, 1 << 31, 1 << 40, 1 << 62)
_FLOATS = (0.0, 1e38, float("nan"), float("inf"))
_METADATA = ("", "{", "[]", "null", '["joy", "joy"]', '{"joy": NaN}', "[" * 5000, "9" * 5000)
_NAMES = ("", "x", "logits", "joy", "é", "a" * 300, "\x00", "../x")
_OPERATORS = [
    *(("", name) for name in sorted(STANDARD_OPERATORS | {"Loop", "Scan", "RandomUniform"})),
    *(("ai.onnx.ml", name) for name in sorted(HEAD_OPERATORS)),
    *(("com.microsoft", name) for name in sorted(MICROSOFT_OPERATORS)),
    ("evil", "Run"),
]
_MARKED = 0.02
_BOMBS = ("ConstantOfShape", "Expand", "Tile", "Range", "OneHot", "Pad", "EyeLike")


def _graphs(graph: onnx.GraphProto) -> list[onnx.GraphProto]:
    """Return a graph and all inside it."""
    inside = [a.g for node in graph.node for a in node.attribute if a.HasField("g")]
    return [graph, *(found for one in inside for found in _graphs(one))]


def _graph(model: onnx.ModelProto, random: Random) -> onnx.GraphProto:
    """Return one of a model's graphs: the larger, the likelier."""
    found = _graphs(model.graph)
    return random.choices(found, [1 + len(one.node) for one in found])[0] if len(found) > 1 else model.graph


def _name(model: onnx.ModelProto, graph: onnx.GraphProto, random: Random, before: int | None = None) -> str:
    """Return a value's name, of those before a node where one is given; rarely one that there is not."""
    found = [value.name for value in [*model.graph.input, *model.graph.initializer]]
    found += [name for node in list(graph.node)[:before] for name in node.output]
    return random.choice(found if found and random.random() < 0.85 else _NAMES)


def _node(model: onnx.ModelProto, random: Random) -> None:
    graph = _graph(model, random)
    if not graph.node:
        return
    place = random.randrange(len(graph.node))
    node = graph.node[place]
    way = random.randrange(8)
    if way == 0:
        del graph.node[place]
    elif way == 1:
        graph.node.insert(place, node)
    elif way == 2:
        node.domain, node.op_type = random.choice(_OPERATORS)
    elif way == 3 and node.input:
        node.input[random.randrange(len(node.input))] = _name(model, graph, random, place)
    elif way == 4 and node.output:
        node.output[random.randrange(len(node.output))] = _name(model, graph, random)
    elif way == 5:
        (node.input if random.random() < 0.7 else node.output).append(_name(model, graph, random, place))
    elif way == 6 and node.input:
        del node.input[random.randrange(len(node.input))]
    else:
        other = graph.node[random.randrange(len(graph.node))]
        node.op_type, other.op_type = other.op_type, node.op_type


def _attribute(model: onnx.ModelProto, random: Random) -> None:
    nodes = [node for node in _graph(model, random).node if node.attribute]
    if not nodes:
        return
    node = random.choice(nodes)
    place = random.randrange(len(node.attribute))
    chosen = node.attribute[place]
    way = random.randrange(6)
    if way == 0:
        del node.attribute[place]
    elif way == 1:
        chosen.name = random.choice((*_NAMES, "axis", "keepdims"))
    elif way == 2:
        chosen.i = random.choice(_SIZES)
    elif way == 3 and chosen.floats:
        chosen.floats[random.randrange(len(chosen.floats))] = random.choice(
            (0.0, 1e38, float("nan"), float("inf"))
        )
    elif way == 4:
        numbers = chosen.floats or chosen.ints
        if numbers:
            del numbers[random.randrange(len(numbers)) :]
        chosen.ints.extend([random.choice(_SIZES)])
    else:
        chosen.type = random.randrange(15)


def _tensor(model: onnx.ModelProto, random: Random) -> None:
    tensors = list(model.graph.initializer)
    tensors += [a.t for node in model.graph.node for a in node.attribute if a.HasField("t")]
    if not tensors:
        return
    tensor = random.choice(tensors)
    way = random.randrange(6)
    if way == 0:
        tensor.data_type = random.choice((*range(24), 1 << 30))
    elif way == 1 and tensor.dims:
        tensor.dims[random.randrange(len(tensor.dims))] = random.choice(_SIZES)
    elif way == 2:
        tensor.dims.append(random.choice(_SIZES))
    elif way == 3:
        tensor.raw_data = random.randbytes(random.choice((0, 4, len(tensor.raw_data))))
    elif way == 4:
        tensor.data_location = random.choice((TensorProto.EXTERNAL, TensorProto.DEFAULT))
        where = random.choice(("/etc/passwd", "../x", "x", ""))
        tensor.external_data.add(key="location", value=where)
    else:
        tensor.name = _name(model, model.graph, random)


def _numbers(model: onnx.ModelProto, random: Random) -> None:
    """Change numbers of a tensor, whose shape and type stay."""
    tensors = [tensor for tensor in model.graph.initializer if tensor.raw_data]
    if not tensors:
        return
    tensor = random.choice(tensors)
    data = bytearray(tensor.raw_data)
    for _ in range(random.choice((1, 4, 64))):
        place = random.randrange(len(data))
        data[place] = random.choice((0, 1, 0x7F, 0x80, 0xFF, random.randrange(256)))
    tensor.raw_data = bytes(data)


def _insert(model: onnx.ModelProto, random: Random) -> None:
    """Put a node of any operator between a value and one that reads it."""
    graph = _graph(model, random)
    place = random.randrange(len(graph.node)) if graph.node else 0
    if not graph.node or not graph.node[place].input:
        return
    reader = graph.node[place]
    which = random.randrange(len(reader.input))
    domain, kind = random.choice(_OPERATORS)
    others = [_name(model, graph, random, place) for _ in range(random.choice((0, 0, 1, 2)))]
    made = helper.make_node(kind, [reader.input[which], *others], ["between"], domain=domain)
    reader.input[which] = "between"
    graph.node.insert(place, made)


def _type(model: onnx.ModelProto, random: Random) -> None:
    values = [*model.graph.input, *model.graph.output, *model.graph.value_info]
    if not values:
        return
    value = random.choice(values)
    kind = value.type.tensor_type
    way = random.randrange(6)
    if way == 0:
        kind.elem_type = random.randrange(24)
    elif way == 1 and kind.shape.dim:
        kind.shape.dim[random.randrange(len(kind.shape.dim))].dim_value = random.choice(_SIZES)
    elif way == 2:
        kind.shape.dim.add(dim_value=random.choice(_SIZES))
    elif way == 3 and kind.shape.dim:
        del kind.shape.dim[0]
    elif way == 4:
        value.name = _name(model, model.graph, random)
    else:
        value.type.sequence_type.elem_type.tensor_type.elem_type = random.randrange(24)


def _bomb(model: onnx.ModelProto, random: Random) -> None:
    """Put a node that makes much of little where another's input comes from."""
    graph = model.graph
    numbers = [random.choice(_SIZES) for _ in range(random.randint(1, 4))]
    graph.initializer.append(helper.make_tensor("bomb_shape", TensorProto.INT64, [len(numbers)], numbers))
    kind = random.choice(_BOMBS)
    inputs = ["bomb_shape"] if kind == "ConstantOfShape" else [_name(model, graph, random, 0), "bomb_shape"]
    if kind in ("Range", "OneHot"):
        inputs.append("bomb_shape")
    graph.node.insert(0, helper.make_node(kind, inputs, ["bomb"]))
    reader = random.choice(graph.node[1:] or [graph.node[0]])
    if reader.input and random.random() < 0.8:
        reader.input[random.randrange(len(reader.input))] = "bomb"


def _model(model: onnx.ModelProto, random: Random) -> None:
    way = random.randrange(7)
    if way == 0 and model.opset_import:
        random.choice(model.opset_import).version = random.choice((0, 1, 7, 13, 21, 99, -1))
    elif way == 1:
        model.opset_import.add(domain=random.choice(("", "evil", "com.microsoft", "ai.onnx")), version=18)
    elif way == 2:
        model.ir_version = random.choice((0, 1, 3, 4, 8, 99, -1))
    elif way == 3 and model.metadata_props:
        chosen = random.choice(model.metadata_props)
        chosen.value = random.choice(
            ("", "{", "[]", "null", '["joy", "joy"]', '{"joy": NaN}', "[" * 5000, "9" * 5000)
        )
    elif way == 4 and model.metadata_props:
        del model.metadata_props[random.randrange(len(model.metadata_props))]
    elif way == 5:
        body = [helper.make_node("F", ["x"], ["y"], domain="f"), *model.graph.node[:1]]
        opsets = [helper.make_opsetid("", 18)]
        model.functions.append(
            helper.make_function("f", "F", ["x"], ["y"], body[random.randrange(2) :], opsets)
        )
    elif way == 6 and model.graph.output:
        (model.graph.output if random.random() < 0.5 else model.graph.input).pop()


def _nested(model: onnx.ModelProto, random: Random) -> None:
    """Put graphs inside graphs, as deep as protobuf's library writes them."""
    inner = empty = helper.make_graph([], "g", [], [])
    for _ in range(random.choice((1, 2, 12, 20))):
        node = helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=empty)
        inner = helper.make_graph([node], "g", [], [])
    model.graph.node.extend(inner.node)


_WAYS = (
    *(_node, _node, _node, _insert, _insert, _attribute, _attribute, _tensor, _numbers, _type, _bomb, _model),
    _nested,
)


def _change(model: onnx.ModelProto, random: Random) -> None:
    """Make one change; some find nothing to change, then another is tried."""
    before = model.SerializeToString()
    for _ in range(4):
        try:
            random.choice(random.choice((_WAYS, mutate_functions.WAYS)))(model, random)
        except (ValueError, TypeError, AttributeError, IndexError):
            # Not a change that protobuf can hold.
            continue
        if model.SerializeToString() != before:
            return


def mutated(content: bytes, random: Random) -> bytes:
    """Return a model with one to four changes, half of them by `mutate_functions`."""
    model = onnx.load_model_from_string(content)
    for _ in range(random.choice((1, 1, 2, 4))):
        _change(model, random)
    made = model.SerializeToString()
    # A name first, in which onnxruntime's mark of its own format is where it looks for it.
    return b"\x12\x08\0\0ORTM\0\0" + made if random.random() < _MARKED else made
