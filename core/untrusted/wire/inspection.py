"""A graph of a stranger's ONNX file, its subgraphs and functions, node by node. Standard library only."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from core.untrusted import limits
from core.untrusted.wire import tensors
from core.untrusted.wire.operators import STANDARD, Table
from core.untrusted.wire.protobuf import Message, WireError

_LARGEST = float(1 << 62)
Numbers = dict[str, list[float]]


@dataclass
class Inspection:
    """What is known while a model is walked; `functions` counts the nodes that a call of each stands for."""

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


def called(node: Message) -> str:
    """Return how an error calls a node."""
    return f"node {node.get('name') or (node['output'] or ['?'])[0]!r} ({node.get('op_type', '')})"


def _bounded(count: float, what: str) -> None:
    if not count <= limits.MADE_ELEMENTS:
        raise WireError(f"{what} makes {count:,.0f} elements, expected at most {limits.MADE_ELEMENTS:,}")


def _check_made(node: Message, numbers: Numbers) -> None:
    """Refuse the operators that turn a few numbers into a large tensor, where these are constants."""
    kind, inputs = node.get("op_type", ""), node["input"]
    given = [numbers.get(name, []) for name in inputs]
    if kind == "ConstantOfShape" and given:
        _bounded(math.prod(max(n, 1.0) for n in given[0]), kind)
    if kind in ("Expand", "Tile") and len(given) > 1:
        _bounded(math.prod(max(n, 1.0) for n in given[1]), kind)
    if kind == "Range" and len(given) > 2 and all(given[:3]):
        start, limit, step = (one[0] for one in given[:3])
        _bounded((limit - start) / step if step else math.inf, kind)
    if kind == "OneHot" and len(given) > 1 and given[1]:
        _bounded(abs(given[1][0]), kind)
    if kind == "Pad":
        listed = [number for one in given[1:2] for number in one]
        listed += [
            number for item in node["attribute"] if item.get("name") == "pads" for number in item["ints"]
        ]
        _bounded(sum(abs(number) for number in listed), kind)


def _check_attribute(attribute: Message, known: set[str], seen: Inspection, depth: int) -> None:
    if "sparse_tensor" in attribute or attribute["sparse_tensors"]:
        raise WireError("sparse tensors are not accepted")
    for tensor in [*([attribute["t"]] if "t" in attribute else []), *attribute["tensors"]]:
        tensors.check(tensor)
    for value in [*([attribute["tp"]] if "tp" in attribute else []), *attribute["type_protos"]]:
        tensors.check_type(value)
    for graph in [*([attribute["g"]] if "g" in attribute else []), *attribute["graphs"]]:
        walk(graph, known, seen, depth + 1)


def _constant(node: Message) -> list[float] | None:
    for attribute in node["attribute"]:
        if attribute.get("name") == "value" and "t" in attribute:
            return tensors.short_numbers(attribute["t"])
        if attribute.get("name") == "value_int":
            return [attribute.get("i", 0)]
        if attribute.get("name") == "value_ints":
            return list(attribute["ints"])
    return None


def _check_operator(node: Message, seen: Inspection) -> None:
    domain, kind = node.get("domain", ""), node.get("op_type", "")
    function = seen.functions.get((domain, kind))
    if function is not None:
        seen.count(function)
    elif kind not in seen.table.get(domain, ()):
        shown = kind if domain in STANDARD else f"{domain}.{kind}"
        raise WireError(f"operator {shown!r} is not one of those accepted")


def walk_nodes(nodes: list[Message], known: set[str], numbers: Numbers, seen: Inspection, depth: int) -> None:
    """Check nodes in order; `known` are the names of values before them, and after them of theirs, too.

    Raises:
        WireError: an operator is not accepted; a name is used twice, or before it is there; a tensor of
            constants alone would be too large. The message names the node.
    """
    seen.count(len(nodes))
    for node in nodes:
        try:
            _check_operator(node, seen)
            for name in node["input"]:
                if name and name not in known:
                    raise WireError(f"reads {name!r}, which nothing before it makes")
            names = [attribute.get("name") for attribute in node["attribute"]]
            if len(set(names)) != len(names):
                raise WireError("an attribute is there twice")
            for attribute in node["attribute"]:
                _check_attribute(attribute, known, seen, depth)
            _check_made(node, numbers)
            add(known, [name for name in node["output"] if name], "value")
        except WireError as error:
            raise WireError(f"{called(node)}: {error}") from error
        made = _constant(node) if node.get("op_type") == "Constant" else None
        if made is not None and node["output"]:
            numbers[node["output"][0]] = made


def add(known: set[str], names: Iterable[str], what: str) -> None:
    """Add names.

    Raises:
        WireError: one is there already, or empty.
    """
    for name in names:
        if not name:
            raise WireError(f"a {what} without a name")
        if name in known:
            raise WireError(f"{what} {name!r} is there twice")
        known.add(name)


def _named(messages: list[Message]) -> list[str]:
    return [message.get("name", "") for message in messages]


def walk(graph: Message, outer: set[str], seen: Inspection, depth: int = 0) -> None:
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
    add(own, _named(graph["initializer"]), "initializer")
    inputs = _named(graph["input"])
    add(set(), inputs, "input")
    own.update(inputs)
    add(set(), _named(graph["output"]), "output")
    numbers: Numbers = {}
    for tensor in graph["initializer"]:
        try:
            tensors.check(tensor)
        except WireError as error:
            raise WireError(f"initializer {tensor.get('name')!r}: {error}") from error
        short = tensors.short_numbers(tensor)
        if short is not None:
            numbers[tensor["name"]] = short
    for value in [*graph["input"], *graph["output"], *graph["value_info"]]:
        try:
            tensors.check_type(value.get("type", {}))
        except WireError as error:
            raise WireError(f"value {value.get('name')!r}: {error}") from error
    known = outer | own
    walk_nodes(graph["node"], known, numbers, seen, depth)
    for name in _named(graph["output"]):
        if name not in known:
            raise WireError(f"output {name!r} is nothing that the graph makes")
