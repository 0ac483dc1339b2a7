"""Check a graph of an untrusted ONNX file node by node, with all inside it. Standard library only."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from core.untrusted import limits
from core.untrusted.regular_file import naming
from core.untrusted.wire import tensors
from core.untrusted.wire.operators import STANDARD, Table
from core.untrusted.wire.protobuf import Message, WireError

Numbers = dict[str, list[float]]


@dataclass
class Inspection:
    """State of one walk over a model; `functions` counts the nodes that a call of each stands for."""

    table: Table
    functions: dict[tuple[str, str], int] = field(default_factory=dict)
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


def _bounded(count: float, what: str) -> None:
    if not count <= limits.MADE_ELEMENTS:
        raise WireError(f"{what} makes {count:,.0f} elements, expected at most {limits.MADE_ELEMENTS:,}")


def _check_made(node: Message, numbers: Numbers) -> None:
    """Refuse operators that make a large tensor out of a few constant numbers."""
    kind, inputs = node.get("op_type", ""), node["input"]
    given = [numbers.get(name, []) for name in inputs]
    if kind == "ConstantOfShape" and given:
        _bounded(math.prod(max(n, 1.0) for n in given[0]), kind)
    if kind in ("Expand", "Tile") and len(given) > 1:
        _bounded(math.prod(max(n, 1.0) for n in given[1]), kind)
    if kind == "Range" and len(given) > 2 and all(given[:3]):
        start, limit, step = (values[0] for values in given[:3])
        _bounded((limit - start) / step if step else math.inf, kind)
    if kind == "OneHot" and len(given) > 1 and given[1]:
        _bounded(abs(given[1][0]), kind)
    if kind == "Pad":
        attributes = [attribute for attribute in node["attribute"] if attribute.get("name") == "pads"]
        pads = [*given[1:2], *(attribute["ints"] for attribute in attributes)]
        _bounded(sum(abs(number) for values in pads for number in values), kind)


def _check_attribute(attribute: Message, known: set[str], inspection: Inspection, depth: int) -> None:
    if "sparse_tensor" in attribute or attribute["sparse_tensors"]:
        raise WireError("sparse tensors are not accepted")
    for tensor in all_of(attribute, "t", "tensors"):
        tensors.check(tensor)
    for value in all_of(attribute, "tp", "type_protos"):
        tensors.check_type(value)
    for graph in all_of(attribute, "g", "graphs"):
        walk(graph, known, inspection, depth + 1)


def _constant(node: Message) -> list[float] | None:
    for attribute in node["attribute"]:
        if attribute.get("name") == "value" and "t" in attribute:
            return tensors.short_numbers(attribute["t"])
        if attribute.get("name") == "value_int":
            return [attribute.get("i", 0)]
        if attribute.get("name") == "value_ints":
            return list(attribute["ints"])
    return None


def _check_operator(node: Message, inspection: Inspection) -> None:
    domain, kind = node.get("domain", ""), node.get("op_type", "")
    nodes = inspection.functions.get((domain, kind))
    if nodes is not None:
        inspection.count(nodes)
    elif kind not in inspection.table.get(domain, ()):
        shown = kind if domain in STANDARD else f"{domain}.{kind}"
        raise WireError(f"operator {shown!r} is not one of those accepted")


def walk_nodes(
    nodes: list[Message], known: set[str], numbers: Numbers, inspection: Inspection, depth: int
) -> None:
    """Check nodes in order; `known` holds the names of values, and gains those that the nodes make.

    Raises:
        WireError: an operator is not accepted; a name is used twice, or before it is there; a tensor of
            constants alone would be too large. The message names the node.
    """
    inspection.count(len(nodes))
    for node in nodes:
        name = node.get("name") or (node["output"] or ["?"])[0]
        with naming(f"node {name!r} ({node.get('op_type', '')})", WireError, "", WireError):
            _check_operator(node, inspection)
            unmade = [value for value in node["input"] if value and value not in known]
            if unmade:
                raise WireError(f"reads {unmade[0]!r}, which nothing before it makes")
            names = [attribute.get("name") for attribute in node["attribute"]]
            if len(set(names)) != len(names):
                raise WireError("a duplicate attribute")
            for attribute in node["attribute"]:
                _check_attribute(attribute, known, inspection, depth)
            _check_made(node, numbers)
            add(known, filter(None, node["output"]), "value")
        constant = _constant(node) if node.get("op_type") == "Constant" else None
        if constant is not None and node["output"]:
            numbers[node["output"][0]] = constant


def add(known: set[str], names: Iterable[str], what: str) -> None:
    """Add names.

    Raises:
        WireError: one is there already, or empty.
    """
    for name in names:
        if not name:
            raise WireError(f"a {what} without a name")
        if name in known:
            raise WireError(f"duplicate {what} {name!r}")
        known.add(name)


def _names(messages: list[Message]) -> list[str]:
    return [message.get("name", "") for message in messages]


def walk(graph: Message, outer: set[str], inspection: Inspection, depth: int = 0) -> None:
    """Check a graph; `outer` are the names of the graph around it, which its nodes may read.

    Raises:
        WireError: something in it is not accepted; the message names it.
    """
    if depth > limits.DEPTH:
        raise WireError(f"graphs nested deeper than {limits.DEPTH}")
    if graph["sparse_initializer"]:
        raise WireError("sparse tensors are not accepted")
    # Files of an IR before 4 list the constants among the inputs, and subgraphs may hide outer names.
    own: set[str] = set()
    add(own, _names(graph["initializer"]), "initializer")
    inputs, outputs = _names(graph["input"]), _names(graph["output"])
    add(set(), inputs, "input")
    own.update(inputs)
    add(set(), outputs, "output")
    numbers: Numbers = {}
    for tensor in graph["initializer"]:
        with naming(f"initializer {tensor.get('name')!r}", WireError, "", WireError):
            tensors.check(tensor)
        short = tensors.short_numbers(tensor)
        if short is not None:
            numbers[tensor["name"]] = short
    for value in [*graph["input"], *graph["output"], *graph["value_info"]]:
        with naming(f"value {value.get('name')!r}", WireError, "", WireError):
            tensors.check_type(value.get("type", {}))
    known = outer | own
    walk_nodes(graph["node"], known, numbers, inspection, depth)
    unmade = [name for name in outputs if name not in known]
    if unmade:
        raise WireError(f"output {unmade[0]!r} is nothing that the graph makes")
