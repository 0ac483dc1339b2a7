"""Check the functions that an untrusted ONNX file defines for itself. Standard library only."""

from __future__ import annotations

from core.untrusted import limits
from core.untrusted.regular_file import naming
from core.untrusted.wire.inspection import (
    Call,
    Inspection,
    all_of,
    check_attribute,
    check_outputs,
    check_values,
    walk_nodes,
)
from core.untrusted.wire.opsets import versions_of
from core.untrusted.wire.protobuf import Message, WireError
from core.untrusted.wire.scope import Scope, add_once

# onnxruntime has operators of its own here: it would run one in the place of a function, or the reverse.
_TAKEN = ("ai.onnx", "com.microsoft", "com.ms", "org.pytorch")


def is_taken(domain: str) -> bool:
    """Whether a domain, or one above it, is the standard's or onnxruntime's own."""
    return domain == "" or any(domain == taken or domain.startswith(f"{taken}.") for taken in _TAKEN)


def _calls(function: Message) -> set[Call]:
    """Return domain and name of all operators in a function, and in all graphs inside it."""
    called, pending = set(), [function]
    while pending:
        nodes = pending.pop()["node"]
        called |= {(node.get("domain", ""), node.get("op_type", "")) for node in nodes}
        for attribute in [attribute for node in nodes for attribute in node["attribute"]]:
            pending += all_of(attribute, "g", "graphs")
    return called


def _check_name(function: Message) -> None:
    if is_taken(function.get("domain", "")):
        raise WireError(f"domain {function.get('domain', '')!r} is onnxruntime's own")
    if function.get("overload"):
        raise WireError(f"found overload {function['overload']!r}, expected none")


def _check(function: Message, inspection: Inspection) -> int:
    """Check one function; return the number of nodes that a call of it stands for."""
    attributes: set[str] = set()
    defaults = [default.get("name", "") for default in function["attribute_proto"]]
    add_once(attributes, [*function["attribute"], *defaults], "attribute")
    for default in function["attribute_proto"]:
        check_attribute(default, Scope(), Inspection(inspection.table), 0, is_argument=True)
    check_values(function["value_info"])
    scope = Scope()
    add_once(set(), function["input"], "input")
    for name in function["input"]:
        scope.declare(name)
    versions = versions_of(function["opset_import"], inspection.versions)
    inside = Inspection(inspection.table, versions, inspection.functions, attributes)
    walk_nodes(function["node"], scope, inside, 0)
    check_outputs(function["output"], scope)
    return inside.nodes


def check(functions: list[Message], inspection: Inspection) -> None:
    """Check local functions, those that call no unchecked one first, and add them to the inspection.

    Raises:
        WireError: one is not accepted; they call each other in circles, or too deep. The message names it.
    """
    for function in functions:
        with naming(f"function {function.get('name', '')!r}", WireError, "", WireError):
            _check_name(function)
    waiting = {(f.get("domain", ""), f.get("name", "")): f for f in functions}
    if len(waiting) != len(functions):
        raise WireError("a duplicate function")
    called = {key: _calls(function) for key, function in waiting.items()}
    for _ in range(limits.DEPTH):
        ready = [key for key in waiting if not called[key] & waiting.keys()]
        for key in ready:
            function = waiting.pop(key)
            with naming(f"function {key[1]!r}", WireError, "", WireError):
                inspection.functions[key] = _check(function, inspection)
        if not ready:
            break
    if waiting:
        deep = f"functions call each other in a circle or over {limits.DEPTH} deep"
        raise WireError(f"{deep}: {min(waiting)[1]!r} and {len(waiting) - 1} others")
