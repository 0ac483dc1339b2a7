"""Hostile encoder folders, through `make artifact ENCODER=`."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from tests.hostile.arena import CANARY, Arena
from tests.hostile.attack import ATTACK, Attack, endless, fifo, link, sparse

MAKE = ("make", "artifact", f"RECIPE={ATTACK}/tiny", f"ENCODER=path:{ATTACK}/encoder")


def _encoder(name: str, refused: str | None, spoil: Callable[[Path, Arena], Any], *lines: Any) -> Attack:
    return Attack(
        f"encoder: {name}", lambda arena: spoil(arena.attack / "encoder", arena), refused, lines or (MAKE,)
    )


def _config(**changes: object) -> Callable[[Path, Arena], None]:
    def spoil(folder: Path, arena: Arena) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | changes), "utf-8")

    return spoil


def _other_weights(folder: Path, arena: Arena) -> None:
    _config(transformers_weights="other.safetensors")(folder, arena)
    weights = load_file(folder / "model.safetensors")
    other = {name: -array for name, array in weights.items()}
    save_file(other, folder / "other.safetensors", metadata={"format": "pt"})


def _own_code(folder: Path, arena: Arena) -> None:
    _config(auto_map={"AutoModel": "modeling.Model"}, model_type="own")(folder, arena)
    (folder / "modeling.py").write_text(f"open({str(arena.out / CANARY)!r}, 'w')\n", "utf-8")


class _Runs:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (str(self.path), "w")


def _pickle(folder: Path, arena: Arena) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(_Runs(arena.out / CANARY)))


def _index(target: str) -> Callable[[Path, Arena], None]:
    def spoil(folder: Path, arena: Arena) -> None:
        names = load_file(folder / "model.safetensors")
        (folder / "model.safetensors").unlink()
        index = {"metadata": {}, "weight_map": dict.fromkeys(names, target)}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index), "utf-8")

    return spoil


def _not_finite(folder: Path, arena: Arena) -> None:
    weights = {name: np.array(array) for name, array in load_file(folder / "model.safetensors").items()}
    weights["embeddings.word_embeddings.weight"][7, 3] = np.inf
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def _header(folder: Path, arena: Arena) -> None:
    header = {"w": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}}
    content = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(len(content).to_bytes(8, "little") + content)


def _tokenizer(change: Callable[[dict[str, Any]], object]) -> Callable[[Path, Arena], None]:
    def spoil(folder: Path, arena: Arena) -> None:
        path = folder / "tokenizer.json"
        content = json.loads(path.read_text("utf-8"))
        change(content)
        path.write_text(json.dumps(content), "utf-8")

    return spoil


def _gap(content: dict[str, Any]) -> None:
    vocabulary = content["model"]["vocab"]
    last = max(vocabulary, key=vocabulary.__getitem__)
    vocabulary[last] += 1


def _line_break(content: dict[str, Any]) -> None:
    vocabulary = content["model"]["vocab"]
    vocabulary["x\ny"] = vocabulary.pop("the")


def _regex(content: dict[str, Any]) -> None:
    pattern = {"Regex": "(a*)*b"}
    content["pre_tokenizer"] = {"type": "Split", "pattern": pattern, "behavior": "Removed", "invert": False}


def _elsewhere(name: str) -> Callable[[Path, Arena], None]:
    """The weights lie in a folder of this name; the encoder's folder has a link."""

    def spoil(folder: Path, arena: Arena) -> None:
        place = arena.attack / name
        place.mkdir()
        shutil.move(folder / "model.safetensors", place)
        link(folder / "model.safetensors", place / "model.safetensors")

    return spoil


def _modules(path: str) -> Callable[[Path, Arena], None]:
    def spoil(folder: Path, arena: Arena) -> None:
        modules = json.loads((folder / "modules.json").read_text("utf-8"))
        modules[1]["path"] = path
        (folder / "modules.json").write_text(json.dumps(modules), "utf-8")

    return spoil


def _nested(folder: Path, arena: Arena) -> None:
    (folder / "config.json").write_text('{"a":' * 500 + "1" + "}" * 500, "utf-8")


# make reads its files again on the second line: what the first wrote may not be a command to it.
_TWICE = (
    ("make", "export", *MAKE[2:]),
    ("make", "-n", "artifact", *MAKE[2:]),
    ("make", "export", *MAKE[2:]),
)

ENCODERS = [
    *(
        _encoder(f"weights behind a link into a folder named {name!r}", None, _elsewhere(name), *_TWICE)
        for name in ("x\n\ttouch canary\n", "a#b:c;d|e", "$(shell touch canary)", "`touch canary`'\"")
    ),
    _encoder("transformers_weights", "transformers_weights", _other_weights),
    _encoder("code of its own", "model_type|auto_map", _own_code),
    _encoder("a pickle for weights", "pickle, which is never loaded", _pickle),
    _encoder("an index that names a file outside", "index.json.*outside", _index(f"../../outside/{CANARY}")),
    _encoder("an index that names itself", "index.json", _index("model.safetensors.index.json")),
    _encoder("a weight that is not finite", "word_embeddings.*(finite|inf)", _not_finite),
    _encoder("a header of 4 TB", "model.safetensors", _header),
    _encoder("sizes of 1e9", "config.json", _config(hidden_size=10**9)),
    _encoder("500 nested objects", "config.json.*nested", _nested),
    _encoder("a vocabulary with a gap", "vocab", _tokenizer(_gap)),
    _encoder("a token with a line break", "vocab|line break|token", _tokenizer(_line_break)),
    _encoder("a regular expression that never ends", "tokenizer.json.*Split", _tokenizer(_regex)),
    _encoder("modules outside", "modules.json", _modules("../../outside")),
    *(
        _encoder(f"{file} is {kind}", file, lambda folder, arena, put=put, file=file: put(folder / file))
        for kind, put in (("a pipe", fifo), ("3 GB of nothing", sparse), ("/dev/zero", endless))
        for file in ("config.json", "model.safetensors", "tokenizer.json", "1_Pooling/config.json")
    ),
]
