"""Optimum's graph: made in an environment of its own, or by onnxruntime, with the reason kept."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter

import onnx
import onnx_ir as ir
import pytest

from bench.contenders import optimum
from graphs.head import merge
from tests.conftest import ROOT
from tests.support.graphs import linear_head, pooled

# What a virtual environment's Python is to the peer: it copies, and it knows versions.
PYTHON = """#!/bin/sh
if [ "$1" = -c ]; then echo '{"optimum-onnx": "0.0.7"}'; else cp "$3" "$4"; fi
"""


@pytest.fixture(scope="module")
def merged(mean, tmp_path_factory):
    model = pooled(mean)
    merge.stacked(model, linear_head(["joy", "anger"], 24))
    path = tmp_path_factory.mktemp("merged") / "merged.onnx"
    ir.save(model, path)
    return path


@pytest.fixture
def requirements(tmp_path):
    path = tmp_path / "requirements.txt"
    path.write_text("optimum-onnx==0.0.7\n")
    return path


def test_without_optimum_onnxruntime_quantizes_every_product(merged, tmp_path, requirements):
    target = tmp_path / "bench" / "optimum.onnx"
    made = optimum.quantize(merged, target, None, requirements)
    assert (made.way, made.reason) == ("onnxruntime", "no environment for optimum was asked for")
    assert list(made.versions) == ["onnxruntime"]
    operators = Counter(node.op_type for node in onnx.load(target).graph.node)
    # Two layers of three products beside the attention's own, the pooling, and the head.
    assert (operators["QAttention"], operators["MatMulInteger"]) == (2, 8)
    assert operators["MatMul"] == operators["Gemm"] == 0


def test_an_environment_that_is_there_is_used(merged, tmp_path, requirements):
    python = tmp_path / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(PYTHON)
    python.chmod(0o755)
    (tmp_path / "venv" / "installed").write_text(requirements.read_text())
    made = optimum.quantize(merged, tmp_path / "optimum.onnx", tmp_path / "venv", requirements)
    assert (made.way, made.versions, made.reason) == ("optimum-onnx", {"optimum-onnx": "0.0.7"}, None)
    assert (tmp_path / "optimum.onnx").read_bytes() == merged.read_bytes()


def test_an_environment_that_fails_is_the_reason(merged, tmp_path, requirements):
    (tmp_path / "venv").write_text("in the way")
    made = optimum.quantize(merged, tmp_path / "optimum.onnx", tmp_path / "venv", requirements)
    assert made.way == "onnxruntime"
    assert made.reason
    assert onnx.load(tmp_path / "optimum.onnx").graph.node


def test_the_command_writes_down_who_it_was(merged, tmp_path):
    target = tmp_path / "optimum.onnx"
    command = [sys.executable, "-m", "bench.contenders.optimum", merged, target, "--venv", ""]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert json.loads((tmp_path / "optimum.json").read_text())["way"] == "onnxruntime"
    command[3] = tmp_path / "none.onnx"
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (1, f"error: {tmp_path}/none.onnx: no such file\n")
