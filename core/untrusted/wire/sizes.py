"""Bound what an operator makes out of a few constant numbers. Standard library only."""

from __future__ import annotations

import math

from core.untrusted import limits
from core.untrusted.wire.protobuf import Message, WireError
from core.untrusted.wire.scope import Scope


def _bounded(count: float, what: str) -> None:
    if not count <= limits.MADE_ELEMENTS:
        raise WireError(f"{what} makes {count:,.0f} elements, expected at most {limits.MADE_ELEMENTS:,}")


def check(node: Message, scope: Scope) -> None:
    """Refuse a node that makes a large tensor out of a few constants, or that draws random numbers.

    Raises:
        WireError: it does; the message says how many elements.
    """
    kind, inputs = node.get("op_type", ""), node["input"]
    given = [scope.numbers(name) for name in inputs]
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
    # Of a training mode that isn't a constant false, nobody can say that it is never on.
    if kind == "Dropout" and inputs[2:] not in ([], [""]) and given[2] != [0]:
        raise WireError("drops out at random: its training mode is not a constant false")
