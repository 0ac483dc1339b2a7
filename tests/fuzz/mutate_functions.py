"""Mutations of ONNX models wherever nodes, tensors or graphs may be: functions, branches, attributes.

Most leave a model that runs where a reader lets it, so that what one overlooks is really executed.
"""

from __future__ import annotations

from random import Random

import onnx
from onnx import AttributeProto, NodeProto, TensorProto, helper

# Made beside a model by `tests.fuzz.differential`, which sees whether anyone reads it.
ELSEWHERE = "weights.bin"
_DOMAINS = ("f", "f", "f", "f.g", "", "ai.onnx", "ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc", "evil")
_NAMES = ("F", "G", "Relu", "Identity", "Sigmoid", "Mish", "Loop", "MatMul", "Scaler", "BiasGelu")
_UNARY = (
    "Abs Celu Clip Elu Erf Exp Gelu HardSigmoid HardSwish Hardmax Identity LeakyRelu LogSoftmax "
    "LpNormalization Mish Neg Relu Selu Sigmoid Sign Softmax Softplus Softsign Sqrt Swish Tanh "
    "ThresholdedRelu RandomNormalLike RandomUniformLike Bernoulli Dropout Shrink Not Cast Size Shape NonZero"
).split()
_VERSIONS = (18, 18, 18, 21, 22, 24, 27, 9, 1, 0, -1, 300)
_ATTRIBUTES = ("alpha", "axis", "value", "then_branch", "else_branch", "a", "b", "body", "to", "dtype")


def _graph(model: onnx.ModelProto, random: Random) -> onnx.GraphProto | onnx.FunctionProto:
    """Return the graph, or something inside the model that has nodes too."""
    found = [model.graph, *model.functions]
    for node in [node for one in found for node in one.node]:
        found += [attribute.g for attribute in node.attribute if attribute.HasField("g")]
    return random.choice([found[0], *found])


def _value(random: Random) -> str:
    return f"v{random.randrange(1 << 30)}"


def _between(node: NodeProto, random: Random) -> tuple[str, str]:
    """Name a place between a node and one of its inputs; return what to read there and what to make."""
    which = random.randrange(len(node.input))
    given, made = node.input[which], _value(random)
    node.input[which] = made
    return given, made


def _put(
    model: onnx.ModelProto, random: Random, *, domain: str = "", kind: str | None = None
) -> NodeProto | None:
    """Put a node of one input between two others; return it."""
    graph = _graph(model, random)
    places = [place for place, node in enumerate(graph.node) if any(node.input)]
    if not places:
        return None
    place = random.choice(places)
    given, made = _between(graph.node[place], random)
    graph.node.insert(place, helper.make_node(kind or random.choice(_UNARY), [given], [made], domain=domain))
    return graph.node[place]


def _unary(model: onnx.ModelProto, random: Random) -> None:
    for _ in range(random.choice((1, 1, 3))):
        _put(model, random)


def _body(random: Random) -> list[NodeProto]:
    """Nodes from `x` to `y`: a chain, perhaps with a call of another function."""
    kinds = [random.choice(_UNARY) for _ in range(random.choice((1, 1, 2, 4)))]
    names = ["x", *(f"b{index}" for index in range(len(kinds) - 1)), "y"]
    nodes = [helper.make_node(kind, names[i : i + 1], names[i + 1 : i + 2]) for i, kind in enumerate(kinds)]
    if random.random() < 0.2:
        nodes[0].domain, nodes[0].op_type = random.choice(_DOMAINS), random.choice(_NAMES)
    return nodes


def _branch(random: Random) -> onnx.GraphProto:
    """A graph that makes `z`, of an outer `x` or of nothing."""
    if random.random() < 0.5:
        nodes = [helper.make_node(random.choice(_UNARY), ["x"], ["z"])]
    else:
        nodes = [helper.make_node("RandomNormal", [], ["z"], shape=[1, 3])]
    return helper.make_graph(nodes, "g", [], [helper.make_tensor_value_info("z", 1, None)])


def elsewhere(random: Random) -> TensorProto:
    """A tensor whose numbers are in another file."""
    tensor = TensorProto(name="else", data_type=1, dims=[3], data_location=TensorProto.EXTERNAL)
    where = random.choice(
        (ELSEWHERE, ELSEWHERE, f"./{ELSEWHERE}", "/etc/hostname", "../x", "*/_ORT_MEM_ADDR_/*")
    )
    for key, value in (("location", where), ("offset", "0"), ("length", "12")):
        tensor.external_data.add(key=key, value=value)
    return tensor


def _fill(attribute: AttributeProto, random: Random) -> None:
    """Put a value into an attribute, beside what it has."""
    way = random.randrange(9)
    if way == 0:
        attribute.ref_attr_name = random.choice(("a", "b", ""))
    elif way == 1:
        attribute.t.CopyFrom(elsewhere(random))
        attribute.type = AttributeProto.TENSOR
    elif way == 2:
        attribute.tensors.append(elsewhere(random))
        attribute.type = AttributeProto.TENSORS
    elif way == 3:
        attribute.g.CopyFrom(_branch(random))
        attribute.type = AttributeProto.GRAPH
    elif way == 4:
        attribute.graphs.append(_branch(random))
        attribute.type = AttributeProto.GRAPHS
    elif way == 5:
        attribute.sparse_tensor.values.CopyFrom(elsewhere(random))
        attribute.type = AttributeProto.SPARSE_TENSOR
    elif way == 6:
        attribute.tp.tensor_type.elem_type = random.randrange(24)
        attribute.type = AttributeProto.TYPE_PROTO
    elif way == 7:
        attribute.i = random.choice((0, 1, 2, 7, -1))
        attribute.type = AttributeProto.INT
    else:
        attribute.f = random.random()
        attribute.type = AttributeProto.FLOAT


def _attribute(model: onnx.ModelProto, random: Random) -> None:
    """Give a node another attribute, or another value to one that it has."""
    nodes = list(_graph(model, random).node)
    if not nodes:
        return
    node = random.choice(nodes)
    if node.attribute and random.random() < 0.5:
        _fill(random.choice(node.attribute), random)
    else:
        _fill(node.attribute.add(name=random.choice(_ATTRIBUTES)), random)


def _function(model: onnx.ModelProto, random: Random) -> None:
    """Define a function and call it, once or often."""
    domain, name = random.choice(_DOMAINS), random.choice(_NAMES)
    opsets = [helper.make_opsetid("", random.choice(_VERSIONS[:8])), helper.make_opsetid("f", 1)]
    made = helper.make_function(domain, name, ["x"], ["y"], _body(random), opsets)
    if random.random() < 0.15:
        made.overload = random.choice(("o", "Loop"))
    if random.random() < 0.3:
        made.attribute.append("a")
    if random.random() < 0.4:
        _fill(made.attribute_proto.add(name=random.choice(("a", "b"))), random)
    if random.random() < 0.4:
        _fill(random.choice(made.node).attribute.add(name=random.choice(_ATTRIBUTES)), random)
    model.functions.append(made)
    if domain not in [opset.domain for opset in model.opset_import] and random.random() < 0.95:
        model.opset_import.add(domain=domain, version=1)
    for _ in range(random.choice((1, 1, 2, 6))):
        node = _put(model, random, domain=domain, kind=name)
        if node is not None and made.overload and random.random() < 0.8:
            node.overload = made.overload
        if node is not None and random.random() < 0.3:
            _fill(node.attribute.add(name=random.choice(("a", "b"))), random)


def _wrap(model: onnx.ModelProto, random: Random) -> None:
    """Put a node into both branches of an `If`, and something of its own into one of them."""
    graph = _graph(model, random)
    places = [
        place for place, node in enumerate(graph.node) if len(node.output) == 1 and node.op_type != "If"
    ]
    if not places or isinstance(graph, onnx.FunctionProto):
        return
    place = random.choice(places)
    node = graph.node[place]
    result = node.output[0]
    branches = []
    for _ in range(2):
        inner = NodeProto()
        inner.CopyFrom(node)
        inner.output[0] = _value(random)
        output = onnx.ValueInfoProto(name=inner.output[0])
        branches.append(helper.make_graph([inner], "branch", [], [output]))
    if random.random() < 0.4:
        last = branches[0].node[0]
        given, made = _between(last, random) if last.input else ("", "")
        if made:
            branches[0].node.insert(0, helper.make_node(random.choice(_UNARY), [given], [made]))
    name = _value(random)
    condition = helper.make_tensor(name, TensorProto.BOOL, [], [random.random() < 0.5])
    model.graph.initializer.append(condition)
    made_node = helper.make_node("If", [name], [result], then_branch=branches[0], else_branch=branches[1])
    del graph.node[place]
    graph.node.insert(place, made_node)


def _overload(model: onnx.ModelProto, random: Random) -> None:
    nodes = list(_graph(model, random).node)
    if nodes:
        random.choice(nodes).overload = random.choice(("o", "Loop", " "))


def _apart(model: onnx.ModelProto, random: Random) -> None:
    """Put something into a corner of the format."""
    way = random.randrange(7)
    if way == 0:
        model.training_info.add().algorithm.CopyFrom(_branch(random))
    elif way == 1:
        made = model.graph.quantization_annotation.add(tensor_name="x")
        made.quant_parameter_tensor_names.add(key="SCALE_TENSOR", value="x")
    elif way == 2:
        model.configuration.add(name="c", num_devices=2)
    elif way == 3 and model.graph.node:
        random.choice(model.graph.node).device_configurations.add(configuration_id="c")
    elif way == 4:
        model.graph.sparse_initializer.add().values.CopyFrom(elsewhere(random))
    elif way == 5:
        model.graph.initializer.append(elsewhere(random))
    else:
        model.metadata_props.add(key=random.choice(("ort_config", "a")), value="{}")


def _imports(model: onnx.ModelProto, random: Random) -> None:
    place = random.choice([model, *model.functions]).opset_import
    if place and random.random() < 0.5:
        random.choice(place).version = random.choice(_VERSIONS)
    else:
        place.add(domain=random.choice(_DOMAINS), version=random.choice(_VERSIONS))


def _small(model: onnx.ModelProto, random: Random) -> None:
    """Change a name, an input or the value of an attribute inside something."""
    nodes = [node for node in _graph(model, random).node if node.input]
    if not nodes:
        return
    node, way = random.choice(nodes), random.randrange(4)
    if way == 0:
        node.input.append(random.choice((*node.input, "")))
    elif way == 1:
        node.domain = random.choice(_DOMAINS)
    elif way == 2:
        node.op_type = random.choice((*_UNARY, *_NAMES))
    else:
        node.metadata_props.add(key="a", value="b")


WAYS = (
    *(_unary, _unary, _function, _function, _function, _attribute, _attribute, _wrap, _wrap),
    *(_overload, _apart, _imports, _small),
)
