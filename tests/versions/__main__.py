"""`python -m tests.versions ARTIFACT RECIPE BUILD --versions …`: an artifact in versions of onnxruntime.

Writes `BUILD/versions/versions.json`. Token ids are made before, by this environment's tokenizer.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from core import decisions
from core import recipe as recipes
from core.artifact import tokens
from core.artifact.graph import Graph
from core.artifact.manifest import text_graph, variants
from core.build import reference
from core.cli import exit_code
from core.disk.files import sha256_file, write_json
from core.errors import ToolchainError
from tests.cpus.compare import difference
from tests.versions import compare, inside

HOW = ("alone", "batches")
_LONGEST_SECONDS, _SHOWN = 600, 160
ENVIRONMENTS = Path(".venv-versions")


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


def _run(python: Path, source: Path, target: Path, graphs: Iterable[Graph]) -> dict[str, np.ndarray]:
    """Run graphs in an environment as `inside.py` says; return what it wrote.

    Raises:
        ToolchainError: the program fails there.
    """
    line = [python, "-I", "-B", inside.__file__, source, target, *(graph.path for graph in graphs)]
    target.unlink(missing_ok=True)
    ended = subprocess.run(line, capture_output=True, text=True, errors="replace", timeout=_LONGEST_SECONDS)
    if ended.returncode or not target.is_file():
        said = ended.stderr.splitlines()
        raise ToolchainError(f"{python}: exit status {ended.returncode}: {said[-1] if said else 'no word'}")
    with np.load(target) as file:
        return dict(file)


def outcomes(
    version: str, found: dict[str, np.ndarray], expected: dict[str, np.ndarray], graphs: dict[str, Graph]
) -> list[compare.Outcome]:
    """Return the outcome of each graph, from what `inside.py` wrote in a version and in the build's own."""
    rows = []
    for number, (name, graph) in enumerate(graphs.items()):
        stated, error = graph.metadata.onnxruntime, found.get(f"{number} error")
        if error is not None:
            rows.append(compare.Outcome(version, name, stated, {}, " ".join(str(error).split())[-_SHOWN:]))
            continue
        thresholds = decisions.threshold_vector(graph.thresholds, graph.labels)
        kind = graph.metadata.problem_type
        keys = {how: f"{number} {how}" for how in HOW}
        differences = {
            how: difference(found[key], expected[key], thresholds, kind) for how, key in keys.items()
        }
        rows.append(compare.Outcome(version, name, stated, differences))
    return rows


def _compare(arguments: argparse.Namespace) -> None:
    began, folder, artifact = time.monotonic(), arguments.build / "versions", arguments.artifact
    folder.mkdir(parents=True, exist_ok=True)
    texts, source = _texts(artifact, arguments.recipe, arguments.build, arguments.texts)
    given, graphs = folder / "texts.json", _graphs(artifact)
    for name, graph in graphs.items():
        if not graph.metadata.onnxruntime:
            raise ToolchainError(
                f"{graph.path}: metadata lacks onnxruntime, {name}'s oldest version; build it"
            )
    write_json(given, {"texts": texts, "ids": tokens.encode(artifact / "tokenizer.json", texts)})
    expected = _run(Path(sys.executable), given, folder / "expected.npz", graphs.values())
    for number, name in enumerate(graphs):
        if f"{number} error" in expected:
            raise ToolchainError(f"{name}: fails in the build's own version: {expected[f'{number} error']}")
    rows = []
    for version in arguments.versions:
        python = ENVIRONMENTS / version / "bin" / "python"
        found = _run(python, given, folder / f"{version}.npz", graphs.values())
        if not str(found["version"]).startswith(f"{version}."):
            raise ToolchainError(f"{python}: found onnxruntime {found['version']}, expected {version}")
        rows += outcomes(version, found, expected, graphs)
    write_json(
        folder / "versions.json",
        {
            "onnxruntime": str(expected["version"]),
            "texts": f"{len(texts)} {source}",
            "sha256": {name: sha256_file(graph.path) for name, graph in graphs.items()},
            "outcomes": [{**row._asdict(), "differences": _plain(row)} for row in rows],
        },
    )
    print(compare.table(rows))
    print(f"{len(texts)} {source}, alone and in batches of {inside.BATCH}, against {expected['version']}")
    print(f"{folder / 'versions.json'}; {time.monotonic() - began:.0f} s")
    compare.check(rows)


def _plain(row: compare.Outcome) -> dict[str, dict[str, object]]:
    return {how: found._asdict() for how, found in row.differences.items()}


def main() -> int:
    """Run the command line; 1 where a version decides otherwise, or a graph states another oldest one."""
    parser = argparse.ArgumentParser(prog="python -m tests.versions", description=__doc__.split("\n")[0])
    for name in ("artifact", "recipe", "build"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--versions", nargs="+", required=True)
    parser.add_argument("--texts", type=int, default=60)
    return exit_code(_compare, parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
