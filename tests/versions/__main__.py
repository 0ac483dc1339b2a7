"""`python -m tests.versions ARTIFACT RECIPE BUILD --versions …`: an artifact in versions of onnxruntime.

Writes `BUILD/versions/versions.json`. Token ids are made before, by this environment's tokenizer.
"""

from __future__ import annotations

import core.start  # isort: skip  # noqa: F401  what fails or is interrupted from here on ends in a line

import argparse
import contextlib
import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime

from core import decisions
from core import recipe as recipes
from core.artifact import tokens
from core.artifact.graph import Graph
from core.artifact.manifest import text_graph, variants
from core.build import reference
from core.cli import exit_code, parser
from core.contract import TEXT_FILE
from core.disk.files import sha256_file, write_json
from core.errors import ToolchainError
from tests.cpus.compare import difference
from tests.versions import compare, inside

HOW = ("alone", "batches")
_LONGEST_SECONDS, _SHOWN = 600, 160
ENVIRONMENTS, PACKAGES = Path(".venv-versions"), Path("build/versions-js")
_SCRIPT = Path("tests/js/versions/run.mjs").resolve()
# What `inside.py` writes.
Found = dict[str, np.ndarray]


def _texts(artifact: Path, recipe: Path, build: Path, count: int) -> tuple[list[str], str]:
    """Return the first texts of the test split, else of the reference; and what they are."""
    stored = reference.read(artifact / "reference.npz")
    texts, source = stored.texts, f"texts of reference.npz ({stored.source})"
    data = recipes.data_of(recipes.load(recipe), recipe, build)
    if data and data.at_hand("test"):
        texts, source = data.read("test").texts, f"texts of {data.title} test"
    return texts[:count], source


def _graphs(artifact: Path) -> dict[str, Graph]:
    """Return the graphs of an artifact by name, the one that takes texts among them."""
    files = {variant.name: variant.file for variant in variants(artifact)}
    text = text_graph(artifact)
    return {name: Graph(file) for name, file in (files | ({"text": text.file} if text else {})).items()}


def _run(line: list[Path | str], target: Path, folder: Path | None = None) -> None:
    """Run a program that writes a file.

    Raises:
        ToolchainError: it fails, or writes none.
    """
    target.unlink(missing_ok=True)
    ended = subprocess.run(
        line, cwd=folder, capture_output=True, text=True, errors="replace", timeout=_LONGEST_SECONDS
    )
    if ended.returncode or not target.is_file():
        said = ended.stderr.splitlines()
        raise ToolchainError(f"{line[0]}: exit status {ended.returncode}: {said[-1] if said else 'no word'}")


def _of_python(python: Path, given: Path, target: Path, graphs: list[Path]) -> Found:
    """Run graphs in an environment as `inside.py` says; return what it wrote."""
    _run([python, "-I", "-B", inside.__file__, given, target, *graphs], target)
    with np.load(target) as file:
        return dict(file)


def _of_javascript(package: str, given: Path, target: Path, graphs: list[Path]) -> Found:
    """Run graphs in a package of onnxruntime for JavaScript, each text alone; return as `inside.py` writes.

    onnxruntime-web runs in Node, with one thread.
    """
    paths = [path.resolve() for path in (given, target, *graphs)]
    _run([os.environ.get("NODE", "node"), _SCRIPT, package, *paths], target, PACKAGES)
    told = json.loads(target.read_text("utf-8"))
    return {key: np.array(value, np.float32 if "alone" in key else None) for key, value in told.items()}


def _found(version: str, given: Path, folder: Path, graphs: list[Path]) -> Found:
    """Return what a version answers; in JavaScript without the graph that takes texts, which is the last.

    Raises:
        ToolchainError: the environment is of another version, or its program fails.
    """
    if "-" in version:
        of_ids = [graph for graph in graphs if graph.name != Path(TEXT_FILE).name]
        return _of_javascript(version, given, folder / f"{version}.json", of_ids)
    python = ENVIRONMENTS / version / "bin" / "python"
    found = _of_python(python, given, folder / f"{version}.npz", graphs)
    if not str(found["version"]).startswith(f"{version}."):
        raise ToolchainError(f"{python}: found onnxruntime {found['version']}, expected {version}")
    return found


def outcomes(version: str, found: Found, expected: Found, graphs: dict[str, Graph]) -> list[compare.Outcome]:
    """Return the outcome of each graph, from what `inside.py` wrote in a version and in the build's own."""
    rows = []
    for number, (name, graph) in enumerate(graphs.items()):
        if not any(key.startswith(f"{number} ") for key in found):
            continue
        stated, error = graph.metadata.onnxruntime, found.get(f"{number} error")
        if error is not None:
            rows.append(compare.Outcome(version, name, stated, {}, " ".join(str(error).split())[-_SHOWN:]))
            continue
        thresholds = decisions.threshold_vector(graph.thresholds, graph.labels)
        kind = graph.metadata.problem_type
        keys = {how: f"{number} {how}" for how in HOW if f"{number} {how}" in found}
        differences = {
            how: compare.Difference(*difference(found[key], expected[key], thresholds, kind)[:4])
            for how, key in keys.items()
        }
        rows.append(compare.Outcome(version, name, stated, differences))
    return rows


def _rows(
    versions: list[str], folder: Path, graphs: dict[str, Graph], given: dict[str, object]
) -> list[compare.Outcome]:
    """Return the outcomes of some graphs on the same texts, of the build's own version first."""
    folder.mkdir(parents=True, exist_ok=True)
    source, paths = folder / "texts.json", [graph.path for graph in graphs.values()]
    write_json(source, given)
    own = _of_python(Path(sys.executable), source, folder / "expected.npz", paths)
    for number, (name, graph) in enumerate(graphs.items()):
        if not graph.metadata.onnxruntime:
            raise ToolchainError(
                f"{graph.path}: metadata lacks onnxruntime, {name}'s oldest version; build it"
            )
        if f"{number} error" in own:
            raise ToolchainError(f"{name}: fails in the build's own version: {own[f'{number} error']}")
    found = {version: _found(version, source, folder, paths) for version in versions}
    # WebAssembly adds up in another order: its versions are compared with their newest.
    web = [version for version in found if version.startswith("web-")]
    rows = []
    for version, answers in found.items():
        rows += outcomes(version, answers, found[web[-1]] if version in web else own, graphs)
    return rows


def _compare(arguments: argparse.Namespace) -> None:
    began, folder, artifact = time.monotonic(), arguments.build / "versions", arguments.artifact
    texts, source = _texts(artifact, arguments.recipe, arguments.build, arguments.texts)
    graphs = _graphs(artifact)
    given = {"texts": texts, "ids": tokens.encode(artifact / "tokenizer.json", texts)}
    rows = _rows(arguments.versions, folder, graphs, given)
    of_forms: list[compare.Outcome] = []
    if arguments.forms:
        # It needs all that builds.
        from tests.versions import forms

        ids, place = forms.ids(), folder / "forms"
        with contextlib.redirect_stderr(io.StringIO()):
            tiny = {name: Graph(path) for name, path in forms.write(place).items()}
        of_forms = _rows(arguments.versions, place, tiny, {"texts": [""] * len(ids), "ids": ids})
    write_json(
        folder / arguments.to,
        {
            "onnxruntime": onnxruntime.__version__,
            "texts": f"{len(texts)} {source}",
            "sha256": {name: sha256_file(graph.path) for name, graph in graphs.items()},
            "outcomes": [{**row._asdict(), "differences": _plain(row)} for row in [*rows, *of_forms]],
        },
    )
    print(compare.table(rows))
    how = f"alone and, in Python, in batches of {inside.BATCH}"
    print(f"{len(texts)} {source}, {how}, against onnxruntime {onnxruntime.__version__} in Python")
    if of_forms:
        print(compare.summary(of_forms))
    print(f"{folder / arguments.to}; {time.monotonic() - began:.0f} s")
    compare.check([*rows, *of_forms])


def _plain(row: compare.Outcome) -> dict[str, dict[str, object]]:
    return {how: found._asdict() for how, found in row.differences.items()}


def main() -> int:
    """Run the command line; 1 where a version decides otherwise, or a graph states another oldest one."""
    line = parser("python -m tests.versions", __doc__.split("\n")[0])
    for name in ("artifact", "recipe", "build"):
        line.add_argument(name, type=Path)
    line.add_argument("--versions", nargs="+", required=True, help="environments of .venv-versions")
    line.add_argument("--texts", type=int, default=60, help="how many")
    line.add_argument("--forms", action="store_true", help="tiny graphs of every form as well")
    line.add_argument("--to", default="versions.json", metavar="FILE", help="in BUILD/versions")
    return exit_code(_compare, line.parse_args())


if __name__ == "__main__":
    sys.exit(main())
