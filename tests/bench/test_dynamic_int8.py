"""Optimum's graph: made in the environment that was installed for it, or by onnxruntime, with the reason."""

from __future__ import annotations

import json
import sys
from collections import Counter

import onnx
import onnx_ir as ir
import pytest

from bench.contenders import dynamic_int8
from graphs.head import merge
from requirements import install
from tests.support.commands import call, run
from tests.support.factories import Shape
from tests.support.graphs import exported, linear_head, pooled

# What optimum's Python is here: pip installs nothing, and the script copies and knows versions.
PYTHON = """#!/bin/sh
echo "$1 $2" >> "$0.log"
if [ "$2" = requirements.plan ]; then
  echo '{"packages": 1, "size_bytes": 1, "sources": [], "missing": []}'; exit
fi
if [ "$1" != -m ]; then cp "$2" "$3"; echo 'a warning'; echo '{"optimum-onnx": "0.0.7"}'; fi
"""


@pytest.fixture(scope="module")
def merged(tmp_path_factory):
    folder = tmp_path_factory.mktemp("merged")
    model = pooled(exported(folder / "mean", Shape(layers=2, heads=3), "mean"))
    merge.stacked(model, linear_head(["joy", "anger"], 24))
    ir.save(model, folder / "merged.onnx")
    return folder / "merged.onnx"


@pytest.fixture
def environment(tmp_path, monkeypatch):
    """An environment for optimum, made by `python -m requirements.install` from a lock file of one line."""

    def create(folder, clear, **_):
        assert clear
        python = folder / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.write_text(PYTHON)
        python.chmod(0o755)

    monkeypatch.setattr(install.venv, "create", create)
    lock = tmp_path / "requirements-optimum.txt"
    lock.write_text("optimum-onnx==0.0.7\n")
    folder = tmp_path / ".venv-optimum"
    assert install.main([str(folder), str(lock)]) == 0
    return folder


def test_without_optimum_onnxruntime_quantizes_every_product(merged, tmp_path):
    target = tmp_path / "bench" / "optimum.onnx"
    made = dynamic_int8.quantize(merged, target, None)
    assert (made.way, made.reason) == ("onnxruntime", "no environment for optimum was asked for")
    assert list(made.versions) == ["onnxruntime"]
    operators = Counter(node.op_type for node in onnx.load(target).graph.node)
    # Two layers of three products beside the attention's own, the pooling, and the head.
    assert (operators["QAttention"], operators["MatMulInteger"]) == (2, 8)
    assert operators["MatMul"] == operators["Gemm"] == 0


def test_the_environment_that_was_installed_is_used_and_left_as_it_is(merged, tmp_path, environment):
    log, stamp = environment / "bin" / "python.log", environment / "installed"
    assert [line.split()[:2] for line in log.read_text().splitlines()] == [
        ["-m", "requirements.plan"],
        ["-m", "pip"],
    ]
    before = stamp.stat()
    made = dynamic_int8.quantize(merged, tmp_path / "optimum.onnx", environment)
    assert (made.way, made.versions, made.reason) == ("optimum-onnx", {"optimum-onnx": "0.0.7"}, None)
    assert (tmp_path / "optimum.onnx").read_bytes() == merged.read_bytes()
    assert stamp.stat() == before
    # Who owns it finds it finished, and pip runs no second time.
    assert install.main([str(environment), str(tmp_path / "requirements-optimum.txt")]) == 0
    runs = [line.split()[0] for line in log.read_text().splitlines()]
    assert runs == ["-m", "-m", str(dynamic_int8._SCRIPT)]


def test_an_environment_that_is_unfinished_or_fails_is_the_reason(merged, tmp_path, environment):
    def reason():
        made = dynamic_int8.quantize(merged, tmp_path / "optimum.onnx", environment)
        assert made.way == "onnxruntime"
        assert onnx.load(tmp_path / "optimum.onnx").graph.node
        return made.reason

    python = environment / "bin" / "python"
    python.write_text("#!/bin/sh\necho 'no module named optimum' >&2; echo >&2; exit 3\n")
    assert reason() == "no module named optimum"
    python.write_text("#!/bin/sh\nexit 3\n")
    assert reason() == "exit status 3"
    python.unlink()
    assert "No such file" in reason()
    (environment / "installed").unlink()
    assert reason() == f"{environment}: optimum is not installed there"


def test_the_script_names_the_preset_and_needs_optimum_alone():
    ended = call(sys.executable, dynamic_int8._SCRIPT, "IN", "OUT")
    assert "No module named 'optimum'" in ended.stderr


def test_the_command_writes_down_who_it_was(merged, tmp_path):
    target = tmp_path / "optimum.onnx"
    ended = run("bench", "optimum", merged, target, "--venv", "")
    assert ended.returncode == 0, ended.stderr
    assert json.loads((tmp_path / "optimum.json").read_text())["way"] == "onnxruntime"
    ended = run("bench", "optimum", tmp_path / "none.onnx", target, "--venv", "")
    assert (ended.returncode, ended.stderr) == (2, f"error: {tmp_path}/none.onnx: no such file\n")
