"""Check a graph of an untrusted ONNX file node by node, with all inside it. Standard library only."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field

from core.untrusted import limits
from core.untrusted.regular_file import naming
from core.untrusted.wire import sizes, tensors
from core.untrusted.wire.operators import SINCE, STANDARD, Table
from core.untrusted.wire.opsets import Versions, is_imported, version_of
from core.untrusted.wire.protobuf import Message, WireError
from core.untrusted.wire.scope import Scope, add_once

# Domain and name of an operator or a function.
Call = tuple[str, str]

# AttributeProto.AttributeType, from 1 on: the fields that hold values.
_VALUES = (
    *("f", "i", "s", "t", "g", "floats", "ints", "strings", "tensors", "graphs"),
    *("sparse_tensor", "sparse_tensors", "tp", "type_protos"),
)
_GRAPHS = ("g", "graphs")
# What a type says, by its kind.
_INTERFACE = {
    "tensor_type": {"elem_type", "shape"},
    "sequence_type": {"elem_type"},
    "map_type": {"key_type", "value_type"},
    "optional_type": {"elem_type"},
}


@dataclass
class Inspection:
    """State of one walk over a model's graph, or over one of its functions.

    Attributes:
        versions: domains that are imported, and the version of each.
        functions: the number of nodes that a call of each stands for.
        attributes: names of the function's own attributes, which its nodes may refer to.
    """

    table: Table
    versions: Versions = field(default_factory=dict)
    functions: dict[Call, int] = field(default_factory=dict)
    attributes: Set[str] = frozenset()
    nodes: int = 0

    def count(self, nodes: int) -> None:
        """Add nodes.

        Raises:
            WireError: there are more than the limit.
        """
        self.nodes += nodes
        if self.nodes > limits.NODES:
            raise WireError(f"more than {limits.NODES:,} nodes")


def all_of(message: Message, single: str, repeated: str) -> list[Message]:
    """Return what a message holds in a single field, where it is set, and in a repeated one."""
    return [*([message[single]] if single in message else []), *message[repeated]]


def _check_value(attribute: Message, inspection: Inspection) -> None:
    """Check that an attribute has one value, of the kind that it states."""
    kind = attribute.get("type", 0)
    if not 1 <= kind <= len(_VALUES):
        raise WireError(f"found type {kind}, expected 1 to {len(_VALUES)}")
    stated = _VALUES[kind - 1]
    held = [value for value in _VALUES if value in attribute and attribute[value] != []]
    if "ref_attr_name" in attribute:
        if attribute["ref_attr_name"] not in inspection.attributes:
            raise WireError(f"refers to {attribute['ref_attr_name']!r}, which is no attribute of a function")
        if held or stated in _GRAPHS:
            raise WireError(f"refers to {attribute['ref_attr_name']!r}, found {(held or [stated])[0]} in it")
    elif set(held) - {stated}:
        raise WireError(f"found {', '.join(held)}, expected {stated}")


def check_attribute(
    attribute: Message, scope: Scope, inspection: Inspection, depth: int, *, is_argument: bool
) -> None:
    """Check an attribute with all that it holds.

    Args:
        scope: the values that a graph inside it may read.
        is_argument: it is a function's, which may use it any number of times, among names of its own.

    Raises:
        WireError: it is not accepted; the message names it.
    """
    with naming(f"attribute {attribute.get('name')!r}", WireError, "", WireError):
        _check_value(attribute, inspection)
        for tensor in all_of(attribute, "t", "tensors"):
            tensors.check(tensor)
        for value in all_of(attribute, "tp", "type_protos"):
            tensors.check_type(value)
        for graph in all_of(attribute, *_GRAPHS):
            if is_argument:
                raise WireError("a graph that is handed to a function is not accepted")
            walk(graph, scope, inspection, depth + 1)


def _constant(node: Message) -> list[float] | None:
    if node.get("op_type") != "Constant":
        return None
    for attribute in node["attribute"]:
        if attribute.get("name") == "value" and "t" in attribute:
            return tensors.short_numbers(attribute["t"])
        if attribute.get("name") == "value_int":
            return [attribute.get("i", 0)]
        if attribute.get("name") == "value_ints":
            return list(attribute["ints"])
    return None


def _check_operator(node: Message, inspection: Inspection) -> bool:
    """Check that a node may be there, and count it; return whether it calls a function."""
    domain, kind = node.get("domain", ""), node.get("op_type", "")
    shown = kind if domain in STANDARD else f"{domain}.{kind}"
    if node.get("overload"):
        raise WireError(f"found overload {node['overload']!r}, expected none")
    nodes = inspection.functions.get((domain, kind))
    if nodes is None and kind not in inspection.table.get(domain, ()):
        raise WireError(f"operator {shown!r} is not one of those accepted")
    if not is_imported(domain, inspection.versions):
        raise WireError(f"operators of {domain!r} are not imported")
    version = version_of(inspection.versions, domain) or 0
    if domain in STANDARD and version < SINCE.get(kind, 0):
        raise WireError(f"operator {shown!r} is there from version {SINCE[kind]} on, found {version}")
    inspection.count(nodes or 0)
    return nodes is not None


def _check_node(node: Message, scope: Scope, inspection: Inspection, depth: int) -> None:
    is_function = _check_operator(node, inspection)
    unmade = [value for value in node["input"] if value and value not in scope]
    if unmade:
        raise WireError(f"reads {unmade[0]!r}, which nothing before it makes")
    names = [attribute.get("name") for attribute in node["attribute"]]
    if len(set(names)) != len(names):
        raise WireError("a duplicate attribute")
    for attribute in node["attribute"]:
        check_attribute(attribute, scope, inspection, depth, is_argument=is_function)
    sizes.check(node, scope)
    constant = _constant(node)
    for value in filter(None, node["output"]):
        scope.make(value, constant)


def walk_nodes(nodes: list[Message], scope: Scope, inspection: Inspection, depth: int) -> None:
    """Check nodes in order; the scope gains the values that they make.

    Raises:
        WireError: an operator is not accepted; a name is used twice, or before it is there; a tensor of
            constants alone would be too large. The message names the node.
    """
    inspection.count(len(nodes))
    for node in nodes:
        name = node.get("name") or (node["output"] or ["?"])[0]
        with naming(f"node {name!r} ({node.get('op_type', '')})", WireError, "", WireError):
            _check_node(node, scope, inspection, depth)


def check_values(values: list[Message]) -> None:
    """Check the types that a graph or a function states of its values.

    Raises:
        WireError: one is not accepted; the message names it.
    """
    for value in values:
        with naming(f"value {value.get('name')!r}", WireError, "", WireError):
            tensors.check_type(value.get("type", {}))


def _check_interface(values: list[Message]) -> None:
    """Check that each input and output of a model states a whole type, as onnx's checker wants it."""
    for value in values:
        stated = value.get("type", {})
        kinds = [kind for kind in _INTERFACE if kind in stated]
        if not kinds or not _INTERFACE[kinds[0]] <= set(stated[kinds[0]]):
            raise WireError(f"value {value.get('name')!r}: states no whole type")


def check_outputs(names: list[str], scope: Scope) -> None:
    """Check that a graph or a function makes what it gives.

    Raises:
        WireError: an output is not made, there twice or without a name.
    """
    add_once(set(), names, "output")
    unmade = [name for name in names if name not in scope]
    if unmade:
        raise WireError(f"output {unmade[0]!r} is nothing that it makes")


def walk(graph: Message, outer: Scope | None, inspection: Inspection, depth: int = 0) -> None:
    """Check a graph; its nodes may read the values of the graph around it, `outer`.

    Raises:
        WireError: something in it is not accepted; the message names it.
    """
    if depth > limits.DEPTH:
        raise WireError(f"graphs nested deeper than {limits.DEPTH}")
    # Files of an IR before 4 list the constants among the inputs, and subgraphs may hide outer names.
    scope = Scope(outer)
    inputs = [value.get("name", "") for value in graph["input"]]
    add_once(set(), inputs, "input")
    for name in inputs:
        scope.declare(name)
    add_once(set(), [tensor.get("name", "") for tensor in graph["initializer"]], "initializer")
    for tensor in graph["initializer"]:
        with naming(f"initializer {tensor.get('name')!r}", WireError, "", WireError):
            tensors.check(tensor)
        scope.declare(tensor["name"], tensors.short_numbers(tensor))
    check_values([*graph["input"], *graph["output"], *graph["value_info"]])
    if outer is None:
        _check_interface([*graph["input"], *graph["output"]])
    walk_nodes(graph["node"], scope, inspection, depth)
    check_outputs([value.get("name", "") for value in graph["output"]], scope)
