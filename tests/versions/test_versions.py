"""The comparison of versions fails when it must, on the answers and on the oldest version that is stated."""

from __future__ import annotations

import sys
import tomllib

import numpy as np
import onnx
import onnxruntime
import pytest

from core.errors import GateError
from tests.support import artifacts
from tests.support.places import DEFAULT, ROOT
from tests.versions import __main__ as command
from tests.versions import compare
from tests.versions.compare import Difference

SAME = {"alone": Difference(60, 0, 1e-6, 1e-8), "batches": Difference(60, 0, 0.0, 0.0)}
OTHER = SAME | {"batches": Difference(60, 1, 0.1, 1e-4)}


def test_what_is_as_stated():
    compare.check(
        [
            compare.Outcome("1.9", "int8", "1.17", {}, "no such operator"),
            compare.Outcome("1.17", "int8", "1.17", SAME),
            compare.Outcome("node-1.30", "int8", "1.17", SAME),
        ]
    )


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (("1.32", "int8", "1.17", OTHER), "batches: found 1 of 60 texts decided otherwise, expected none"),
        (
            ("1.17", "int8", "1.17", {}, "no operator"),
            "found no answer (no operator), expected one from",
        ),
        (("1.16", "int8", "1.17", SAME), "found an answer, expected the first in 1.17, as it states"),
        (("web-1.9", "int8", "1.17", OTHER), "found an answer, expected the first in 1.17, as it states"),
    ],
)
def test_what_is_not(outcome, said):
    with pytest.raises(GateError) as raised:
        compare.check([compare.Outcome("1.18", "fp32", "1.17", SAME), compare.Outcome(*outcome)])
    assert str(raised.value).startswith(f"onnxruntime {outcome[0]}, int8")
    assert str(raised.value).endswith(said) or said in str(raised.value)


def test_many_graphs_are_a_line_a_version():
    rows = [compare.Outcome("1.16", name, "1.17", {}, "none") for name in ("bare", "full")]
    rows += [
        compare.Outcome("1.17", name, "1.17", found) for name, found in (("bare", SAME), ("full", OTHER))
    ]
    assert compare.summary(rows).splitlines() == [
        "1.16: 0 of 2 forms of graphs answer",
        "1.17: 2 of 2 forms of graphs answer, at most 1 texts decided otherwise, largest change 1.0e-01",
    ]


def test_every_version_has_pins_of_its_own():
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["lockfiles"]["versions"]
    files = {path.stem: path.read_text("utf-8") for path in (ROOT / "requirements/versions").glob("*.txt")}
    assert files.keys() == wanted.keys()
    for name, text in files.items():
        found = [line.split(" ")[0] for line in text.splitlines() if "==" in line]
        assert found == wanted[name]
        assert f"onnxruntime=={name}." in text


@pytest.fixture
def compared(tmp_path, monkeypatch, in_process):
    """Compare a small artifact in this environment; return exit status and output."""
    artifact = artifacts.artifact(tmp_path / "artifact", {"fp32": 0.0, "int8": 0.0})
    version = ".".join(onnxruntime.__version__.split(".")[:2])
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments" / version).symlink_to(sys.prefix)

    def run(stated):
        for path in (artifact / "onnx").glob("*.onnx"):
            model = onnx.load(path)
            kept = {prop.key: prop.value for prop in model.metadata_props if prop.key != "onnxruntime"}
            onnx.helper.set_model_props(model, kept | ({"onnxruntime": stated} if stated else {}))
            onnx.save(model, path)
        given = [artifact, DEFAULT, tmp_path / "build", "--texts", "5", "--versions", version]
        monkeypatch.setattr(sys, "argv", ["tests.versions", *map(str, given)])
        monkeypatch.setattr(command, "ENVIRONMENTS", tmp_path / "environments")
        monkeypatch.delenv("GO_EMOTIONS_DIR", raising=False)
        return in_process(lambda *_: command.main())

    return run


def test_an_artifact_in_one_version(compared):
    status, printed = compared("1.17")
    assert (status, printed.err) == (0, "")
    assert "| int8 | 0 of 5 | 0.0e+00 | 0.0e+00 |" in printed.out
    status, printed = compared("1.99")
    assert status == 1
    assert "fp32: found an answer, expected the first in 1.99, as it states" in printed.err
    status, printed = compared("")
    assert (status, printed.out) == (2, "")
    assert "metadata lacks onnxruntime" in printed.err


def test_what_fails_is_told_and_not_compared(tmp_path):
    given, target = tmp_path / "texts.json", tmp_path / "found.npz"
    given.write_text('{"texts": ["a"], "ids": [[1]]}')
    found = command._of_python(sys.executable, given, target, [tmp_path / "none.onnx"])
    assert sorted(found) == ["0 error", "version"]
    assert isinstance(found["0 error"], np.ndarray)
