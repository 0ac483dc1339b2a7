"""Mutations of safetensors: the header's JSON, its length, the bytes behind it."""

from __future__ import annotations

import json
from random import Random

from tests.fuzz import mutate, mutate_tree

_TYPES = ("F16", "F32", "F64", "BF16", "I64", "I8", "BOOL", "U8", "F8_E4M3", "X")
_NUMBERS = (-1, 0, 1, 4, 1 << 31, 1 << 62, 1 << 64)


def mutated(content: bytes, random: Random) -> bytes:
    """Return a file whose header, or its length, is changed; sometimes its data."""
    length = int.from_bytes(content[:8], "little")
    header, data = content[8 : 8 + length], content[8 + length :]
    tree = json.loads(header)
    rows = [row for name, row in tree.items() if isinstance(row, dict) and name != "__metadata__"]
    for _ in range(random.choice((1, 1, 2))):
        row, way = (random.choice(rows) if rows else {}), random.randrange(5)
        if way == 0:
            row["dtype"] = random.choice(_TYPES)
        elif way in (1, 2) and row.get("shape" if way == 1 else "data_offsets"):
            numbers = row["shape" if way == 1 else "data_offsets"]
            numbers[random.randrange(len(numbers))] = random.choice((*_NUMBERS, len(data)))
        elif way == 3:
            data = mutate.mutated(data, random)
        else:
            mutate_tree.change(tree, random)
    made = json.dumps(tree).encode()
    if random.random() < 0.1:
        made = mutate_tree.mutated_json(header, random)
    stated = random.choice((0, 1 << 40, length + 1, len(made) - 1)) % (1 << 64)
    shown = len(made) if random.random() < 0.9 else stated
    return shown.to_bytes(8, "little") + made + data
