"""How each reader's inputs are changed: by structure half of the time, in their bytes the other half."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from random import Random

from tests.fuzz import (
    mutate,
    mutate_npz,
    mutate_onnx,
    mutate_text,
    mutate_tree,
    mutate_weights,
    mutate_wire,
    packed,
)

Mutate = Callable[[bytes, Random], bytes]


def _onnx(content: bytes, random: Random) -> bytes:
    if random.random() < 0.02:
        # onnxruntime's own format has its mark there.
        return content[:4] + b"ORTM" + content[4 * random.randrange(3) :]
    ways = (mutate_onnx.mutated, mutate_onnx.mutated, mutate_wire.mutated)
    return random.choice(ways)(content, random)


def _toml(content: bytes, random: Random) -> bytes:
    return mutate_tree.mutated_toml(content, random, tomllib.loads)


def _frame(content: bytes, random: Random) -> bytes:
    """Change the JSON of a message of a limited process, and most of the time state its new length."""
    told = int.from_bytes(content[:4], "big")
    size = int.from_bytes(content[4:12], "big")
    made = mutate_tree.mutated_json(content[12 : 12 + told], random)
    size = size if random.random() < 0.9 else random.choice((0, size + 64, 1 << 40))
    stated = len(made) if random.random() < 0.95 else random.choice((0, told, 1 << 31))
    return stated.to_bytes(4, "big") + size.to_bytes(8, "big") + made + content[12 + told :]


# By the ending of a file's name.
_STRUCTURED: dict[str, Mutate] = {
    ".onnx": _onnx,
    ".npz": mutate_npz.mutated,
    ".skops": mutate_npz.mutated,
    ".json": mutate_tree.mutated_json,
    ".toml": _toml,
    ".frame": _frame,
    ".csv": mutate_text.mutated_csv,
    ".jsonl": mutate_text.mutated_json_lines,
    ".safetensors": mutate_weights.mutated,
}
# What a reader of one file calls it.
_ENDINGS = {
    **{
        "onnx": ".onnx",
        "differential": ".onnx",
        "recipe": ".toml",
        "npz": ".npz",
        "zip": ".skops",
        "weights": ".safetensors",
        "frames": ".frame",
    },
    **{"csv": ".csv", "delimited": ".csv", "jsonl": ".jsonl"},
    **dict.fromkeys(("json", "manifest", "tokenizer", "index", "thresholds"), ".json"),
}


def _changed(ending: str, content: bytes, random: Random, in_bytes: Mutate) -> bytes:
    if ending not in _STRUCTURED or random.random() < 0.4:
        return in_bytes(content, random)
    try:
        return _STRUCTURED[ending](content, random)
    except Exception:
        # What is no such file any more has no structure to change.
        return in_bytes(content, random)


def _packed(content: bytes, random: Random, in_bytes: Mutate) -> bytes:
    files = packed.unpack(content)
    # The graph is where most can be wrong.
    names = [name for name in files if name.endswith(".onnx")]
    names = names if names and random.random() < 0.7 else list(files)
    for name in random.sample(names, 1 if random.random() < 0.9 else min(2, len(names))):
        files[name] = _changed("." + name.rpartition(".")[2], files[name], random, in_bytes)
    return packed.pack(files)


def mutated(reader: str, content: bytes, random: Random, in_bytes: Mutate = mutate.mutated) -> bytes:
    """Return another input of a reader, made of this one.

    Args:
        in_bytes: what changes bytes; libFuzzer's own knows what the reader compared them with.
    """
    if reader in _ENDINGS:
        return _changed(_ENDINGS[reader], content, random, in_bytes)
    return _packed(content, random, in_bytes)
