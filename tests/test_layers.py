"""The house's walls: who may import whom, and how long a file may be."""

from __future__ import annotations

import ast
import json
import re
import sys

import pytest

from tests.conftest import ROOT

PACKAGES = ("deliver", "export", "graphs", "score", "verify")
FLOOR = {
    "export.contract",
    "export.dataset",
    "export.environment",
    "export.exit_code",
    "export.files",
    "export.info",
    "export.limits",
    "export.lock",
    "export.onnx_operators",
    "export.onnx_wire",
    "export.protocol",
    "export.recipe",
    "export.safe_files",
    "export.safe_json",
    "export.safe_npz",
    "export.safe_onnx",
    "export.safe_tokenizer",
    "export.swap",
    "export.trial",
}
STDLIB_ONLY = (
    "export/contract.py",
    "export/dataset.py",
    "export/environment.py",
    "export/exit_code.py",
    "export/files.py",
    "export/info.py",
    "export/limits.py",
    "export/lock.py",
    "export/lockfiles.py",
    "export/onnx_graph.py",
    "export/onnx_operators.py",
    "export/onnx_tensor.py",
    "export/onnx_wire.py",
    "export/protocol.py",
    "export/safe_files.py",
    "export/safe_json.py",
    "export/safe_onnx.py",
    "export/safe_toml.py",
    "export/swap.py",
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
# deliver/ needs what reads a finished artifact, and one rewrite; the hub's library where it publishes only.
DELIVER_NEEDS = {"graphs.padded", "verify.artifact", "verify.session"}
DELIVER_LIBRARIES = {"httpx2", "huggingface_hub", "jinja2"}
# onnxruntime in graphs/: only to calibrate and to judge, and for the dynamic peer; onnxsim brings its own.
ONNXRUNTIME_IN_GRAPHS = {"graphs/calibrate.py", "graphs/dynamic.py", "graphs/judge.py"}
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).glob("*.py"))

# What JavaScript may import by name; the page's parts import each other only.
SCRIPTS = sorted(path for pattern in ("*.*js", "src/*.js") for path in (ROOT / "web").glob(pattern))
SCRIPTS_MAY_IMPORT = {
    "web/build.mjs": {"esbuild"},
    "web/decide.mjs": {"@huggingface/tokenizers"},
    "web/src/worker.js": {"onnxruntime-web/wasm", "../decide.mjs"},
}
JAVASCRIPT = SCRIPTS + sorted((ROOT / "tests" / "js").rglob("*.mjs")) + sorted((ROOT / "web").rglob("*.css"))


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
            "deliver": {"export", "graphs", "verify"},
        }[package]
        assert top in allowed, f"{path.name} imports {name}"
        if top == "export":
            assert name in FLOOR, f"{path.name} imports {name}, which is above the floor"
        if package == "score" and top == "verify":
            assert name in SCORE_NEEDS, f"{path.name} imports {name}"
        if package == "deliver" and top in ("graphs", "verify"):
            assert name in DELIVER_NEEDS, f"{path.name} imports {name}"


@pytest.mark.parametrize("path", [path for path in FILES if path.parent.name == "score"], ids=relative)
def test_scoring_needs_little_and_ray_only_where_it_is_asked_for(path):
    tops = {name.split(".")[0] for name in imports(path)} - set(sys.stdlib_module_names) - set(PACKAGES)
    assert tops <= SCORE_LIBRARIES
    if "ray" in tops:
        assert relative(path) in {"score/bench_ray.py", "score/ray_engine.py"}


@pytest.mark.parametrize("path", [path for path in FILES if path.parent.name == "deliver"], ids=relative)
def test_delivering_needs_little_and_the_hub_only_to_publish(path):
    tops = {name.split(".")[0] for name in imports(path)} - set(sys.stdlib_module_names) - set(PACKAGES)
    assert tops <= DELIVER_LIBRARIES
    if tops & {"httpx2", "huggingface_hub"}:
        assert relative(path) == "deliver/publish.py"


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


@pytest.mark.parametrize("path", SCRIPTS, ids=relative)
def test_scripts_import_little(path):
    found = set(re.findall(r'(?:from|import) "([^"]+)"', path.read_text("utf-8")))
    beside = {name for name in found if name.startswith("./") and (path.parent / name).is_file()}
    assert {name for name in found - beside if not name.startswith("node:")} <= SCRIPTS_MAY_IMPORT.get(
        relative(path), set()
    )
    if path.parent.name == "src":
        assert not any(name.startswith("node:") for name in found)


@pytest.mark.parametrize("path", JAVASCRIPT, ids=relative)
def test_scripts_and_styles_are_short(path):
    assert len(path.read_text("utf-8").splitlines()) <= 200


def test_javascript_names_no_other_host_and_pins_exactly():
    for path in [*JAVASCRIPT, *(ROOT / "web").glob("*.html")]:
        assert not re.findall(r"https?://(?!127\.0\.0\.1|localhost)", path.read_text("utf-8")), path
    assert '"resolved"' not in (ROOT / "package-lock.json").read_text("utf-8")
    project = json.loads((ROOT / "package.json").read_text("utf-8"))
    versions = [*project["dependencies"].values(), *project["devDependencies"].values()]
    assert len(versions) >= 8
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in versions)
