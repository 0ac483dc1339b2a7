"""Hostile heads, through `make artifact HEAD=` and `make new`."""

from __future__ import annotations

import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx

from tests.hostile import graphs
from tests.hostile.arena import CANARY, Arena
from tests.hostile.attack import ATTACK, PYTHON, Attack, endless, fifo, link, sparse
from tests.hostile.encoders import _Runs

MAKE = ("make", "artifact", f"RECIPE={ATTACK}/tiny", f"HEAD=path:{ATTACK}/head")
_SOURCES = (f"HEAD=path:{ATTACK}/head", f"ENCODER=path:{ATTACK}/encoder")
NEW = (PYTHON, "-m", "export", "new", f"{ATTACK}/fresh")


def _head(name: str, refused: str | None, spoil: Callable[[Path, Arena], Any]) -> Attack:
    return Attack(f"head: {name}", lambda arena: spoil(arena.attack / "head", arena), refused, (MAKE,))


def changed(change: graphs.Change) -> Callable[[Path, Arena], None]:
    """Change the graph of a head."""

    def spoil(folder: Path, arena: Arena) -> None:
        path = folder / "model.onnx"
        model = onnx.load(path)
        change(model)
        path.write_bytes(model.SerializeToString())

    return spoil


def _ort(folder: Path, arena: Arena) -> None:
    path = folder / "model.onnx"
    path.write_bytes(graphs.ort_format(path.read_bytes()))


def _pickle(file: str) -> Callable[[Path, Arena], None]:
    def spoil(folder: Path, arena: Arena) -> None:
        (folder / "model.onnx").unlink()
        (folder / file).write_bytes(pickle.dumps(_Runs(arena.out / CANARY)))

    return spoil


def _skops(members: dict[str, bytes]) -> Callable[[Path, Arena], None]:
    def spoil(folder: Path, arena: Arena) -> None:
        (folder / "model.onnx").unlink()
        with zipfile.ZipFile(folder / "head.skops", "w", zipfile.ZIP_DEFLATED) as file:
            for name, content in members.items():
                file.writestr(name, content)

    return spoil


def _skops_type(module: str, name: str) -> dict[str, bytes]:
    content = {"type": "json", "content": json.dumps(f"touch {CANARY}"), "__class__": "str"}
    schema = {
        "__class__": name,
        "__module__": module,
        "__loader__": "TypeNode",
        "__id__": 1,
        "content": content,
        "protocol": 2,
        "_skops_version": "0.16.0",
    }
    return {"schema.json": json.dumps(schema).encode()}


def _thresholds(content: str) -> Callable[[Path, Arena], None]:
    return lambda folder, arena: (folder / "thresholds.json").write_text(content, "utf-8")


HEADS = [
    *(_head(name, refused, changed(change)) for name, (change, refused) in graphs.STATIC.items()),
    *(_head(name, refused, changed(change)) for name, (change, refused) in graphs.RUNNING.items()),
    _head("onnxruntime's own format from bytes", "model.onnx.*(ORTM|format)", _ort),
    _head("a pickle", "head.pkl|model.onnx|pickle", _pickle("head.pkl")),
    _head("joblib", "joblib|model.onnx|pickle", _pickle("model.joblib")),
    _head("skops that names os.system", "head.skops.*(os.system|posix)", _skops(_skops_type("os", "system"))),
    _head("skops that unpacks to 2 GB", "head.skops", _skops({"schema.json": bytes(2 << 30)})),
    _head("a threshold twice", "thresholds.json.*duplicate", _thresholds('{"joy": 0.1, "joy": 0.9}')),
    _head("500 nested objects", "thresholds.json.*nested", _thresholds('{"a":' * 500 + "1" + "}" * 500)),
    _head(
        "a label with a lone surrogate and a line break",
        "thresholds.json",
        _thresholds('{"\\ud800\\n\\u001b[2J": 0.5}'),
    ),
    *(
        _head(f"{file} is {kind}", file, lambda folder, arena, put=put, file=file: put(folder / file))
        for kind, put in (
            ("a pipe", fifo),
            ("3 GB of nothing", sparse),
            ("/dev/zero", endless),
        )
        for file in ("model.onnx", "thresholds.json")
    ),
    _head(
        "thresholds behind a link to a file of the system's",
        "thresholds.json",
        lambda folder, arena: link(folder / "thresholds.json", Path("/etc/hostname")),
    ),
]
