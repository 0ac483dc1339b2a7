"""Hostile artifacts, hashes and all written again by the attacker, through every command that takes one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper

from tests.hostile import graphs
from tests.hostile.arena import CANARY, Arena
from tests.hostile.attack import ATTACK, OUT, PYTHON, Attack, Line, endless, fifo, link, sparse
from tests.support.forge import mend, reseal, rewrite

GRAPH, TEXT_GRAPH = "onnx/model.onnx", "onnx/model_text.onnx"


def _verify(command: str, *more: str) -> Line:
    return (PYTHON, "-m", "verify", command, f"{ATTACK}/artifact", *more)


def _deliver(*more: str) -> Line:
    return (PYTHON, "-m", "deliver", *more)


SCORE = ("make", "score", f"ARTIFACT={ATTACK}/artifact", f"INPUT={ATTACK}/in.csv", f"OUTPUT={OUT}/out.csv")
SCORE = (*SCORE, "OPTIONS=--variant fp32")
PROVE = ("make", "verify-artifact", f"ARTIFACT={ATTACK}/artifact")
PARITY, COMPARE = _verify("parity"), _verify("compare", f"{ATTACK}/artifact")
STRESS = _verify("stress", "--batches", "5")
SUMMARY, SIGN = _verify("summary"), _verify("sign", "--key", f"{ATTACK}/key.pem")
TRITON, TEI, OPENVINO = (
    _deliver("package", f"{ATTACK}/artifact", f"{OUT}/{kind}", "--format", kind, "--variant", "fp32")
    for kind in ("triton", "tei", "openvino")
)
PUBLISH = ("make", "publish", f"ARTIFACT={ATTACK}/artifact", "REPO=own/name", "DRY_RUN=1")
RUNNING = (PROVE, PARITY, COMPARE, SCORE, STRESS)
READING = (PROVE, PARITY, COMPARE, SCORE)
COPYING = (PROVE, PUBLISH)
EVERY = (*RUNNING, SUMMARY, TRITON, TEI, OPENVINO, PUBLISH)


def _artifact(
    name: str, refused: str | None, spoil: Callable[[Path, Arena], Any], lines: tuple[Line, ...]
) -> Attack:
    def prepare(arena: Arena) -> None:
        (arena.attack / "in.csv").write_text("text\nthe joy\na b c\n", "utf-8")
        spoil(arena.attack / "artifact", arena)

    return Attack(f"artifact: {name}", prepare, refused, lines)


def _graph(change: graphs.Change, file: str = GRAPH) -> Callable[[Path, Arena], None]:
    def spoil(folder: Path, arena: Arena) -> None:
        model = onnx.load(folder / file)
        change(model)
        rewrite(folder / file, model.SerializeToString())
        mend(folder)

    return spoil


def _bytes(change: Callable[[bytes], bytes], file: str = GRAPH) -> Callable[[Path, Arena], None]:
    def spoil(folder: Path, arena: Arena) -> None:
        rewrite(folder / file, change((folder / file).read_bytes()))
        mend(folder)

    return spoil


def _metadata(file: str, **values: str) -> Callable[[Path, Arena], None]:
    def change(model: onnx.ModelProto) -> None:
        properties = {prop.key: prop.value for prop in model.metadata_props} | values
        helper.set_model_props(model, properties)

    return _graph(change, file)


def _manifest(**changes: Any) -> Callable[[Path, Arena], None]:
    return lambda folder, arena: reseal(folder, lambda manifest: manifest.update(changes))


def _variant(**changes: Any) -> Callable[[Path, Arena], None]:
    return lambda folder, arena: reseal(folder, lambda manifest: manifest["variants"][0].update(changes))


def _linked(file: str, target: Callable[[Arena], Path]) -> Callable[[Path, Arena], None]:
    def spoil(folder: Path, arena: Arena) -> None:
        link(folder / file, target(arena))
        # The hash of what the link leads to, as an attacker who knows that file would have it.
        reseal(folder)

    return spoil


def _linked_folder(folder: Path, arena: Arena) -> None:
    shutil.move(folder / "onnx", arena.attack / "elsewhere")
    (folder / "onnx").symlink_to(arena.attack / "elsewhere")
    reseal(folder)


def _put(put: Callable[[Path], None], file: str) -> Callable[[Path, Arena], None]:
    return lambda folder, arena: put(folder / file)


def _large_reference(folder: Path, arena: Arena) -> None:
    with np.load(folder / "reference.npz") as file:
        arrays = dict(file)
    arrays["texts"] = np.zeros(126 << 20, np.uint8)
    np.savez_compressed(folder / "reference.npz", **arrays)
    reseal(folder)


def _many_labels(folder: Path, arena: Arena) -> None:
    labels = [f"label{index}" for index in range(30_000)]
    stated = {"labels": json.dumps(labels), "thresholds": json.dumps(dict.fromkeys(labels, 0.5))}
    _metadata(GRAPH, **stated)(folder, arena)


def _raw_manifest(content: bytes) -> Callable[[Path, Arena], None]:
    return lambda folder, arena: rewrite(folder / "manifest.json", content)


def _other_thresholds(folder: Path, arena: Arena) -> None:
    thresholds = json.loads((folder / "thresholds.json").read_text("utf-8"))
    _metadata(TEXT_GRAPH, thresholds=json.dumps(dict.fromkeys(thresholds, 0.01)))(folder, arena)


def _other_labels(folder: Path, arena: Arena) -> None:
    labels = list(json.loads((folder / "thresholds.json").read_text("utf-8")))
    _metadata(TEXT_GRAPH, labels=json.dumps(labels[1:] + labels[:1]))(folder, arena)


_PARTS = f"{OUT}/out.csv.parts"


def _progress(file: str) -> Callable[[Path, Arena], None]:
    """A run that was interrupted left a list of parts; one of them is not in its folder."""

    def spoil(folder: Path, arena: Arena) -> None:
        parts = arena.out / "out.csv.parts"
        parts.mkdir()
        listed = {"job": {}, "parts": [{"file": file, "rows": 1}]}
        (parts / "progress.json").write_text(json.dumps(listed), "utf-8")

    return spoil


_RESUME = (*SCORE[:-1], "OPTIONS=--variant fp32 --resume")

ARTIFACTS = [
    *(_artifact(name, refused, _graph(change), READING) for name, (change, refused) in graphs.STATIC.items()),
    *(
        _artifact(name, refused, _graph(change), RUNNING)
        for name, (change, refused) in graphs.RUNNING.items()
    ),
    *(
        _artifact(f"{name}, of texts", refused, _graph(change, TEXT_GRAPH), (PROVE,))
        for name, (change, refused) in graphs.STATIC.items()
        if "file" in name or "loops" in name
    ),
    _artifact("onnxruntime's own format from bytes", "ORTM|format", _bytes(graphs.ort_format), READING),
    _artifact(
        "onnxruntime's own format from bytes, of texts",
        "ORTM|format",
        _bytes(graphs.ort_format, TEXT_GRAPH),
        (PROVE,),
    ),
    _artifact(
        "other thresholds in the graph of texts", "model_text.onnx", _other_thresholds, (PROVE, PARITY)
    ),
    _artifact("other labels in the graph of texts", "model_text.onnx", _other_labels, (PROVE, PARITY)),
    _artifact("30,000 labels", "label|thresholds|output", _many_labels, READING),
    _artifact(
        "a max_length of 2^58 + 1", "max_length", _metadata(GRAPH, max_length=str(2**58 + 1)), (PROVE,)
    ),
    _artifact("126 MB of texts in the reference", "reference.npz", _large_reference, (PROVE, PARITY)),
    _artifact("a name that is an absolute path", "name", _manifest(name="/tmp/evil"), (PROVE, TRITON)),
    _artifact("a name of dots", "name", _manifest(name="../../outside"), (PROVE, TRITON)),
    _artifact(
        "a graph outside",
        "manifest.json",
        _variant(file=f"../../outside/{CANARY}"),
        (PROVE, PARITY, COMPARE, SUMMARY),
    ),
    _artifact(
        "a graph at an absolute path",
        "manifest.json",
        _variant(file="/etc/hostname"),
        (PROVE, PARITY, SUMMARY),
    ),
    _artifact(
        "a variant's name with escapes",
        "manifest.json",
        _variant(name="\x1b[2J\nerror: all is well"),
        (PROVE, SUMMARY),
    ),
    _artifact(
        "a link to somebody's own file",
        "vocab.txt",
        _linked("vocab.txt", lambda a: a.outside / CANARY),
        COPYING,
    ),
    _artifact(
        "a link to a file of the system's",
        "README.md",
        _linked("README.md", lambda a: Path("/etc/hostname")),
        COPYING,
    ),
    _artifact("a folder that is a link", "onnx", _linked_folder, (*COPYING, TRITON, OPENVINO)),
    _artifact(
        "500 nested objects",
        "manifest.json",
        _raw_manifest(b'{"a":' * 500 + b"1" + b"}" * 500),
        EVERY,
    ),
    _artifact("a manifest that is no object", "manifest.json", _raw_manifest(b"[1]"), EVERY),
    *(
        _artifact(f"{file} is {kind}", file.split("/")[-1], _put(put, file), lines)
        for kind, put in (("a pipe", fifo), ("3 GB of nothing", sparse), ("/dev/zero", endless))
        for file, lines in (
            ("manifest.json", EVERY),
            (GRAPH, READING),
            ("tokenizer.json", (PROVE, SCORE)),
            ("README.md", (PROVE,)),
            ("reference.npz", (PROVE, PARITY)),
        )
    ),
    _artifact(
        "a file that the manifest does not list",
        "more.txt",
        lambda folder, arena: (folder / "more.txt").write_text("x", "utf-8"),
        (PROVE, PUBLISH),
    ),
    *(
        _artifact(f"progress.json names {file}", "progress.json", _progress(file), (_RESUME,))
        for file in (f"../../outside/{CANARY}", "/etc/hostname", "..")
    ),
    _artifact(
        "a package's folder that is somebody's own",
        "outside",
        lambda folder, arena: None,
        ((*TRITON[:5], "../outside", *TRITON[6:]),),
    ),
]
