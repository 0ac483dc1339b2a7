"""Artifacts made to break their readers: each is one printable line, by every command that reads one."""

from __future__ import annotations

import io
import json
import os
import shutil

import numpy as np
import pytest

from deliver import __main__ as deliver
from score import __main__ as score
from tests.support import artifacts
from tests.support.commands import python
from verify import __main__ as verify

ESCAPES = "\x1b[2J\n\x9b\u2028error: none"


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return artifacts.artifact(tmp_path_factory.mktemp("sound"), {"fp32": 0.0, "int8": 0.1})


@pytest.fixture
def folder(sound, tmp_path):
    return shutil.copytree(sound, tmp_path / "artifact")


COMMANDS = {
    "summary": lambda f: (verify.main, ["summary", f]),
    "artifact": lambda f: (verify.main, ["artifact", f]),
    "parity": lambda f: (verify.main, ["parity", f]),
    "compare": lambda f: (verify.main, ["compare", f, f]),
    "sign": lambda f: (verify.main, ["sign", f, "--key", f / "manifest.json"]),
    "score": lambda f: (score.main, [f, f.parent / "in.csv", f.parent / "out.csv"]),
    "package": lambda f: (deliver.main, ["package", f, f.parent / "out", "--format", "triton"]),
    "publish": lambda f: (deliver.main, ["publish", f, "me/x", "--dry-run"]),
}


# What asks whether the artifact is what it says has the answer: a verdict.
VERDICTS = ("artifact", "sign", "publish")


def refused(in_process, folder, command):
    """The line that a command prints; nothing is made, and nothing but that line is said."""
    (folder.parent / "in.csv").write_text("text\na\n")
    before = sorted(folder.parent.rglob("*"))
    main, arguments = COMMANDS[command](folder)
    status, printed = in_process(main, *arguments)
    assert status == (1 if command in VERDICTS else 2), printed
    assert printed.err.startswith("error: ")
    assert printed.err.endswith("\n")
    assert printed.err[:-1].isprintable(), printed.err
    assert "\x1b" not in printed.out
    assert sorted(folder.parent.rglob("*")) == before
    return printed.err


def pipe(path):
    path.unlink()
    os.mkfifo(path)


def sparse(path):
    with path.open("wb") as file:
        file.truncate(3 << 30)


def zeros(path):
    path.unlink()
    path.symlink_to("/dev/zero")


def written(content):
    return lambda path: path.write_text(content, "utf-8")


KINDS = {
    "a pipe": pipe,
    "3 GB of nothing": sparse,
    "/dev/zero": zeros,
    "nested deeply": written('{"variants": ' + "[" * 500 + "]" * 500 + "}"),
    "nested very deeply": written("[" * 1_000_000),
    "half a pair": written('{"name": "\\ud800", "variants": [], "files": {}}'),
    "a huge number": written('{"variants": ' + "9" * 5000 + "}"),
    "not UTF-8": lambda path: path.write_bytes(b'{"name": "\xff"}'),
    "a list": written("[]"),
    "nothing": written(""),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_manifest_of_any_kind(folder, in_process, kind, command):
    KINDS[kind](folder / "manifest.json")
    assert "manifest.json" in refused(in_process, folder, command)


def changed(folder, change):
    path = folder / "manifest.json"
    content = json.loads(path.read_text("utf-8"))
    change(content)
    path.write_text(json.dumps(content), "utf-8")


FIELDS = {
    "no variants": lambda m: m.update(variants=[]),
    "variants of another type": lambda m: m.update(variants={"fp32": 1}),
    "a variant of another type": lambda m: m.update(variants=[5]),
    "a name with escapes": lambda m: m["variants"][0].update(name=ESCAPES),
    "a name that is a list": lambda m: m["variants"][0].update(name=[1]),
    "a file above": lambda m: m["variants"][0].update(file="../secret"),
    "a file with escapes": lambda m: m["variants"][0].update(file=ESCAPES),
    "one variant twice": lambda m: m["variants"].append(m["variants"][0]),
    "a size that is text": lambda m: m["variants"][0].update(size="5"),
    "a tolerance that is none": lambda m: m["variants"][0].update(tolerance={ESCAPES: 1}),
    "figures that are none": lambda m: m["variants"][0].update(parity=None),
}


@pytest.mark.parametrize("command", ["summary", "parity", "compare", "package"])
@pytest.mark.parametrize("field", FIELDS)
def test_fields_of_a_manifest(folder, in_process, field, command):
    changed(folder, FIELDS[field])
    assert "manifest.json" in refused(in_process, folder, command)


@pytest.mark.parametrize(
    "files",
    [
        {"../x": {}},
        {ESCAPES: {}},
        {"a": {"sha256": "x", "size": 1}},
        {"a": {"sha256": "0" * 64, "size": -1}},
        {"a": {"sha256": "0" * 64, "size": 1 << 40}},
        {"a": {"sha256": "0" * 64, "size": True}},
        {str(n): {"sha256": "0" * 64, "size": (2 << 30) - 1} for n in range(3)},
        [],
    ],
)
@pytest.mark.parametrize("command", ["score", "package"])
def test_files_of_a_manifest(folder, in_process, files, command):
    changed(folder, lambda manifest: manifest.update(files=files, name="tiny"))
    assert "manifest.json" in refused(in_process, folder, command)


@pytest.mark.parametrize("spoil", [pipe, sparse, zeros])
@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("reference.npz", "parity"),
        *(("tokenizer.json", command) for command in ("parity", "score", "package")),
        *(("onnx/model_quantized.onnx", command) for command in ("parity", "score", "package")),
    ],
)
def test_other_files_of_any_kind(folder, in_process, spoil, name, command):
    changed(folder, lambda manifest: manifest.update(name="tiny"))
    spoil(folder / name)
    assert name.split("/")[-1] in refused(in_process, folder, command)


def rewritten(folder, **arrays):
    with np.load(folder / "reference.npz") as file:
        content = {**file, **arrays}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **content)
    (folder / "reference.npz").write_bytes(buffer.getvalue())


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        (lambda: {"texts": np.full(126 << 20, ord("a"), np.uint8)}, "texts: found 132,120,576 bytes"),
        (lambda: {"input_ids": np.zeros(5_000_000, np.int32)}, "input_ids: found 5,000,000, expected at mo"),
        (
            lambda: {"labels": np.frombuffer(json.dumps([*map(str, range(30_000))]).encode(), np.uint8)},
            "reference.npz: ",
        ),
    ],
)
def test_a_reference_that_unpacks_to_much(folder, arrays, said):
    """By the command itself, in 1 GB."""
    rewritten(folder, **arrays())
    # On Linux ru_maxrss begins at that of whoever started the process, as large as pytest is.
    program = (
        "import resource, sys; from pathlib import Path; from verify.__main__ import main\n"
        "status = main(['parity', sys.argv[1]])\n"
        "peak, kernel = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, Path('/proc/self/status')\n"
        "said = kernel.read_text().split('VmHWM:')[1].split()[0] if kernel.is_file() else peak\n"
        "print(said); sys.exit(status)"
    )
    found = python(program, folder, timeout=30)
    assert found.returncode == 2, found
    assert said in found.stderr
    assert len(found.stderr.splitlines()) == 1
    assert int(found.stdout) < 1_000_000


def test_thirty_thousand_labels_of_a_graph_are_refused_at_once(folder, in_process):
    labels = [f"label {n}" for n in range(30_000)]
    thresholds = dict.fromkeys(labels, 0.5)
    path = folder / "onnx/model.onnx"
    artifacts.set_metadata(path, labels=json.dumps(labels), thresholds=json.dumps(thresholds))
    said = refused(in_process, folder, "parity")
    assert "model.onnx: metadata: labels: found 30,000, expected at most 4,096" in said
