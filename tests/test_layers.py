"""The house's walls: who may import whom, and how long a file may be."""

from __future__ import annotations

import ast
import sys

import pytest

from tests.conftest import ROOT

PACKAGES = ("export", "graphs", "score", "verify")
FLOOR = {
    "export.contract",
    "export.dataset",
    "export.files",
    "export.info",
    "export.limits",
    "export.onnx_operators",
    "export.protocol",
    "export.recipe",
    "export.safe_files",
    "export.safe_json",
    "export.safe_npz",
    "export.safe_onnx",
    "export.safe_tokenizer",
    "export.trial",
}
STDLIB_ONLY = (
    "export/contract.py",
    "export/dataset.py",
    "export/files.py",
    "export/info.py",
    "export/limits.py",
    "export/onnx_graph.py",
    "export/onnx_operators.py",
    "export/onnx_tensor.py",
    "export/onnx_wire.py",
    "export/protocol.py",
    "export/safe_files.py",
    "export/safe_json.py",
    "export/safe_onnx.py",
    "export/safe_toml.py",
)
# What the other readers of strangers' files need; verify/ and score/ have it.
READERS = {
    "export/safe_npz.py": {"numpy"},
    "export/safe_tokenizer.py": {"tokenizers"},
    "export/trial.py": {"numpy", "onnxruntime"},
}
# Of verify, score/ needs what opens a finished graph.
SCORE_NEEDS = {"verify.session"}
SCORE_LIBRARIES = {"numpy", "onnxruntime", "pyarrow", "ray", "rich", "tokenizers"}
# onnxruntime in graphs/: only to calibrate and to judge, and for the dynamic peer; onnxsim brings its own.
ONNXRUNTIME_IN_GRAPHS = {"graphs/calibrate.py", "graphs/dynamic.py", "graphs/judge.py"}
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).glob("*.py"))


def imports(path):
    """Every module a file imports, anywhere in it; `from a import b` counts as a.b where that is one."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                is_module = (ROOT / (inner.replace(".", "/") + ".py")).is_file()
                yield inner if is_module else node.module


def relative(path):
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_imports_point_one_way(path):
    package = path.parent.name
    for name in imports(path):
        top = name.split(".")[0]
        if top not in PACKAGES or top == package:
            continue
        allowed = {
            "export": set(),
            "graphs": {"export"},
            "verify": {"export", "graphs"},
            "score": {"export", "verify"},
        }[package]
        assert top in allowed, f"{path.name} imports {name}"
        if top == "export":
            assert name in FLOOR, f"{path.name} imports {name}, which is above the floor"
        if package == "score" and top == "verify":
            assert name in SCORE_NEEDS, f"{path.name} imports {name}"


@pytest.mark.parametrize("path", [path for path in FILES if path.parent.name == "score"], ids=relative)
def test_scoring_needs_little_and_ray_only_where_it_is_asked_for(path):
    tops = {name.split(".")[0] for name in imports(path)} - set(sys.stdlib_module_names) - set(PACKAGES)
    assert tops <= SCORE_LIBRARIES
    if "ray" in tops:
        assert relative(path) in {"score/bench_ray.py", "score/ray_engine.py"}


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_heavy_libraries_stay_where_they_belong(path):
    tops = {name.split(".")[0] for name in imports(path)}
    if path.parent.name != "export":
        assert not tops & {"torch", "transformers", "sklearn", "skl2onnx"}
    if path.parent.name == "graphs" and relative(path) not in ONNXRUNTIME_IN_GRAPHS:
        assert "onnxruntime" not in tops
    if path.parent.name == "verify":
        assert not tops & {"onnx", "onnx_ir", "onnxscript", "onnxsim"}


@pytest.mark.parametrize("name", STDLIB_ONLY)
def test_the_floor_needs_only_the_standard_library(name):
    outside = {n.split(".")[0] for n in imports(ROOT / name)} - set(sys.stdlib_module_names) - {"export"}
    assert not outside


@pytest.mark.parametrize("name", READERS)
def test_the_readers_need_only_what_verifying_has(name):
    outside = {n.split(".")[0] for n in imports(ROOT / name)} - set(sys.stdlib_module_names) - {"export"}
    assert outside == READERS[name]


def test_package_inits_import_nothing():
    for package in PACKAGES:
        assert not list(imports(ROOT / package / "__init__.py"))


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_files_are_short(path):
    assert len(path.read_text("utf-8").splitlines()) <= 200
