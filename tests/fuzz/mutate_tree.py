"""Mutations of JSON and TOML: keys and values dropped, renamed, retyped, made huge, put twice."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from random import Random
from typing import Any

_STRANGE: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 0.5, -0.0, 1e308, 1e-320, 2**31, -(2**63), 2**64, 10**30, 10**41),
    *(
        "",
        "x",
        "\x00",
        "é",
        "../../etc/passwd",
        "/etc/passwd",
        "path:..",
        "hub:x",
        "a" * 5000,
        "\u202e",
        "NaN",
    ),
    *([], {}, [[]], [None], {"": 0}, [1] * 300),
)
# What no JSON writer makes.
_TEXTS = (
    "NaN",
    "Infinity",
    "-Infinity",
    "1e999",
    "9" * 5000,
    "[" * 3000,
    '{"a":' * 3000,
    '"\\ud800"',
    "\ufeff",
)
_MARK = "\x01mark\x01"


def _places(tree: Any) -> list[tuple[Any, Any]]:
    found, pending = [], [tree]
    while pending:
        node = pending.pop()
        keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else []
        for key in keys:
            found.append((node, key))
            pending.append(node[key])
    return found


def strange(random: Random) -> Any:
    # A copy: a later change of it must not reach the next input.
    return copy.deepcopy(random.choice(_STRANGE))


def _numbers(value: Any, random: Random) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return strange(random)
    return random.choice((value + 1, -value, value * 1000, float(value), str(value), value / 3, 0))


def change(tree: Any, random: Random) -> None:
    """Change a tree of dicts and lists in one place."""
    places = _places(tree)
    if not places:
        return
    # Vocabularies and the like have thousands of entries, the rest a few.
    node, key = random.choice(places if random.random() < 0.5 else places[:60])
    way = random.randrange(7)
    if way == 0:
        del node[key]
    elif way == 1 and isinstance(node, dict):
        name = random.choice((key + "x", key.upper(), "", random.choice(list(node))))
        node[name] = node.pop(key)
    elif way == 2:
        node[key] = strange(random)
    elif way == 3:
        node[key] = _numbers(node[key], random)
    elif way == 4:
        other, name = random.choice(places)
        if name in (other if isinstance(other, dict) else range(len(other))):
            node[key] = json.loads(json.dumps(other[name]))
    elif way == 5:
        node[key] = [node[key]] if random.random() < 0.5 else {"x": node[key]}
    elif isinstance(node, list):
        node.insert(key, copy.deepcopy(random.choice(node)))
    else:
        node[f"{key}2"] = copy.deepcopy(node[key])


def mutated_json(content: bytes, random: Random) -> bytes:
    """Return JSON text with a few changes; some of them no JSON writer would make."""
    tree = json.loads(content)
    for _ in range(random.choice((1, 1, 2, 4))):
        change(tree, random)
    places = _places(tree)
    if random.random() < 0.3 and places:
        node, key = random.choice(places)
        node[key] = _MARK
        text = json.dumps(tree, ensure_ascii=False)
        return text.replace(json.dumps(_MARK), random.choice(_TEXTS)).encode("utf-8", "surrogatepass")
    text = json.dumps(tree, ensure_ascii=random.random() < 0.5)
    if random.random() < 0.1 and '"' in text:
        text = text.replace("{", '{"joy": 0.5, "joy": 0.4, ' if random.random() < 0.5 else "{{", 1)
    return text.encode("utf-8", "surrogatepass")


def _toml_value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {_toml_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml_value, value)) + "]"
    return "nan" if value is None else json.dumps(value)


def mutated_toml(content: bytes, random: Random, read: Callable[[str], dict[str, Any]]) -> bytes:
    """Return TOML text with a few changes; tables become inline ones."""
    tree = read(content.decode())
    for _ in range(random.choice((1, 1, 2, 4))):
        change(tree, random)
    lines = [f"{json.dumps(key)} = {_toml_value(value)}" for key, value in tree.items()]
    if random.random() < 0.2:
        deep = random.choice(
            ("a." * 5000 + "a = 1", "x = " + "[" * 5000, "[" + "a." * 300 + "b]", "[[a]]\n[a]")
        )
        lines.insert(random.randrange(len(lines) + 1), deep)
    if random.random() < 0.1:
        lines.append(random.choice(lines or ["x"]))
    return "\n".join(lines).encode("utf-8", "surrogatepass")
