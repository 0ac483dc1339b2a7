"""The console command: from a wheel, in an environment of its own, as people install it."""

from __future__ import annotations

import json
import sys
import venv

import pytest

from deliver.__main__ import main
from tests.support.commands import call
from tests.support.places import ROOT


def test_a_command_without_its_libraries_names_the_extra(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delitem(sys.modules, "score.job", raising=False)
    for name in [name for name in sys.modules if name.startswith("score.")]:
        monkeypatch.delitem(sys.modules, name)
    assert main(["score", "artifact", "in.csv", "out.csv"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: score: ")
    assert said.endswith("install this package with its extra [score]\n")


def test_serving_without_its_libraries_names_the_extra(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "deliver.server.__main__", raising=False)
    assert main(["serve", "artifact"]) != 0
    assert capsys.readouterr().err.endswith("install this package with its extra [serve]\n")


def test_a_failed_stage_ends_a_build(tmp_path, capsys):
    (tmp_path / "recipe.toml").write_text("")
    assert main(["build", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith(f"error: {tmp_path}/recipe.toml: ")


@pytest.mark.slow
def test_from_a_wheel_it_verifies_and_scores_without_torch(artifact, tmp_path):
    made = call(
        sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", tmp_path, ROOT, cwd=tmp_path
    )
    assert made.returncode == 0, made.stderr
    (wheel,) = tmp_path.glob("*.whl")
    venv.create(tmp_path / "env", with_pip=True)
    python, command = tmp_path / "env/bin/python", tmp_path / "env/bin/onnx-classifier"
    installed = call(python, "-m", "pip", "install", "--quiet", f"{wheel}[score]", cwd=tmp_path)
    assert installed.returncode == 0, installed.stderr
    for absent in ("torch", "transformers", "sklearn", "onnx", "bench", "requirements"):
        assert call(python, "-c", f"import {absent}", cwd=tmp_path).returncode == 1, absent
    proved = call(command, "verify", artifact, cwd=tmp_path)
    assert proved.returncode == 0, proved.stderr
    (tmp_path / "in.jsonl").write_text('{"text": "I love this!"}\n{"text": "Why would anyone do that?"}\n')
    scored = call(command, "score", artifact, "in.jsonl", "out.jsonl", cwd=tmp_path)
    assert scored.returncode == 0, scored.stderr
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text("utf-8").splitlines()]
    assert rows[0]["labels"] == ["love"]
    needs = call(command, "build", tmp_path, cwd=tmp_path)
    assert (needs.returncode, needs.stdout) == (2, "")
    assert "install this package with its extra [build]" in needs.stderr
