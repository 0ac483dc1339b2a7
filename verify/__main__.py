"""`python -m verify`: measure finished graphs, and release them.

`parity` needs numpy and onnxruntime alone, so that it runs in anybody's CI; hence argparse, and the
imports inside the other commands.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from export.contract import ArtifactError, GateError, ToolchainError
from verify import commands_evaluate, commands_thresholds, parity, reference
from verify.session import Graph

if TYPE_CHECKING:
    from verify.release import Build


def _report(rows: list[tuple[str, parity.Parity, parity.Tolerance]]) -> None:
    """Print the table; raise where a variant is over its tolerance."""
    exceeded = {name: parity.violations(name, found, limit) for name, found, limit in rows}
    print(parity.table([(*row, not exceeded[row[0]]) for row in rows]))
    sentences = [sentence for found in exceeded.values() for sentence in found]
    if sentences:
        raise GateError("; ".join(sentences))


class _Variant(NamedTuple):
    """A variant as an artifact's manifest has it."""

    name: str
    file: Path
    size_bytes: int
    tolerance: parity.Tolerance
    parity: parity.Parity


def _variants(folder: Path) -> list[_Variant]:
    path = folder / "manifest.json"
    try:
        return [
            _Variant(
                row["name"],
                folder / row["file"],
                row["size"],
                parity.Tolerance(**row["tolerance"]),
                parity.Parity(**row["parity"]),
            )
            for row in json.loads(path.read_text("utf-8"))["variants"]
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{path}: not an artifact's manifest: {error}") from error


def _parity(arguments: argparse.Namespace) -> None:
    variants = _variants(arguments.artifact)
    original = reference.read(arguments.reference)
    rows = [(v.name, parity.measure(Graph(v.file), original), v.tolerance) for v in variants]
    if arguments.json:
        from export.files import write_text

        figures = {name: asdict(found) for name, found, _ in rows}
        write_text(arguments.json, json.dumps(figures, indent=2, ensure_ascii=False) + "\n")
    _report(rows)


def _build(arguments: argparse.Namespace) -> Build:
    from export import recipe
    from verify.release import Build

    return Build(recipe.load(arguments.recipe), arguments.recipe, arguments.build)


def _gate(arguments: argparse.Namespace) -> None:
    from export.files import sha256_file, write_text
    from verify.release import PARITY_FILE

    build = _build(arguments)
    original = reference.read(build.folder / "reference.npz")
    rows, records = [], {}
    for name in build.recipe.variants:
        graph = Graph(build.graph(name))
        figures = parity.measure(graph, original)
        rows.append((name, figures, build.tolerance(name)))
        records[name] = {
            "sha256": sha256_file(build.graph(name)),
            "quantization": graph.metadata["quantization"],
            "parity": asdict(figures),
        }
    _report(rows)
    text = json.dumps(records, indent=2, ensure_ascii=False) + "\n"
    write_text(build.folder / PARITY_FILE, text)


def _release(arguments: argparse.Namespace) -> None:
    from verify.release import release

    release(_build(arguments), arguments.target)


def _summary(arguments: argparse.Namespace) -> None:
    print(f"\n{'variant':<9}{'size':>9}  {'max Δp':>8}  {'flip rate':>9}  file")
    for variant in _variants(arguments.artifact):
        print(
            f"{variant.name:<9}{variant.size_bytes / 1e6:>6.1f} MB  "
            f"{variant.parity.max_probability_error:>8.1e}  {variant.parity.flip_rate:>9.4f}  {variant.file}"
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m verify", description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(required=True)

    def command(name: str, run: Any, text: str, *positionals: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(run=run)
        for positional in positionals:
            added.add_argument(positional, type=Path)
        return added

    check = command("parity", _parity, "an artifact against a reference", "artifact")
    check.add_argument("--reference", type=Path, required=True, help="reference.npz")
    check.add_argument("--json", type=Path, help="write the figures here, too")
    command("gate", _gate, "a build's graphs against its reference", "recipe", "build")
    command("evaluate", commands_evaluate.run, "a build's graphs on GoEmotions", "recipe", "build")
    tune = command("thresholds", commands_thresholds.run, "choose thresholds on dev", "recipe", "build")
    commands_thresholds.add_arguments(tune)
    command("release", _release, "write the artifact", "recipe", "build", "target")
    command("summary", _summary, "print what an artifact holds", "artifact")
    return parser


def main() -> int:
    """Run a command; 1 where it fails, with one line that says why."""
    arguments = _parser().parse_args()
    try:
        arguments.run(arguments)
    except ToolchainError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
