"""`python -m verify compare`: compare two artifacts, or variants of one.

Needs numpy, onnxruntime and tokenizers alone.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from core.artifact import manifest
from core.build import reference
from core.disk.files import write_json
from core.errors import ArtifactError, DatasetError
from verify.compare import measure, table
from verify.compare.measure import Plan, Side, Texts


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads besides the first artifact."""
    parser.add_argument("b", type=Path, nargs="?", help="another artifact (default: the same)")
    parser.add_argument(
        "--pair",
        action="append",
        metavar="A:B",
        help="variants, such as fp32:int8; may be repeated (default: those that both have; of one artifact, "
        "the first with each other)",
    )
    parser.add_argument("--reference", type=Path, help="whose texts (default: A's own, or else B's)")
    parser.add_argument(
        "--data",
        type=Path,
        metavar="FILE",
        help="TOML of a recipe's [data], whose test split to take, too (default: not)",
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the figures here, too (default: not)"
    )
    parser.add_argument("--rounds", type=int, default=Plan.rounds, help="in turns")
    parser.add_argument("--texts", type=int, default=Plan.texts, help="a round")
    parser.add_argument("--threads", type=int, default=Plan.threads, help="of a session")


def _pairs(a: Path, b: Path, given: list[str] | None) -> list[tuple[manifest.Variant, manifest.Variant]]:
    ours = {variant.name: variant for variant in manifest.variants(a)}
    theirs = {variant.name: variant for variant in manifest.variants(b)}
    names = [pair.partition(":")[::2] for pair in given or []]
    if a == b:
        names = names or [(next(iter(ours)), other) for other in list(ours)[1:]]
    names = names or [(name, name) for name in ours if name in theirs]
    for first, second in names:
        if first not in ours or second not in theirs:
            raise ArtifactError(
                f"--pair {first}:{second}: found variants {', '.join(ours)} in {a}, "
                f"and {', '.join(theirs)} in {b}"
            )
    if not names:
        raise ArtifactError(f"{a} and {b}: no variant that both have; name two with --pair A:B")
    return [(ours[first], theirs[second]) for first, second in names]


def _test_split(file: Path, labels: Sequence[str]) -> Texts:
    """Read the test split of the data that a TOML file describes."""
    try:
        from core.data.data_set import DataSet
        from core.data.table import DataTable
        from core.tables import read_table
    except ImportError as missing:
        expected = f"{missing.name} is needed to read {file}, and is not installed"
        raise DatasetError(f"--data: {expected}") from missing
    table = read_table(DataTable, file)
    known = [label for label in labels if not table.label_ids or label in table.label_ids]
    with tempfile.TemporaryDirectory() as downloads:
        data = DataSet(table, file.parent, Path(downloads), known)
        split = data.read("test")
    return Texts(f"{data.title} test", split.texts, 32, split.labels, known)


def _texts(arguments: argparse.Namespace, a: Path, b: Path, side: Side) -> list[Texts]:
    """Return the texts to compare on."""
    folder = next((f for f in (a, b) if (f / manifest.REFERENCE_FILE).is_file()), a)
    original = reference.read(manifest.reference_file(folder, arguments.reference))
    # Each alone, as parity has them.
    listed = [Texts("reference", original.texts, 1)]
    return [*listed, *([_test_split(arguments.data, side.graph.labels)] if arguments.data else [])]


def run(arguments: argparse.Namespace) -> None:
    """Compare, print, write.

    Raises:
        ArtifactError: an artifact cannot be read, or the two have nothing to compare.
        DatasetError: `--data` names a test split that cannot be had, or is wrong.
        BenchmarkError: a number of the plan is below 1.
    """
    a, b = arguments.a, arguments.b or arguments.a
    plan = Plan(arguments.rounds, arguments.texts, threads=arguments.threads)
    plan.check()
    pairs = _pairs(a, b, arguments.pair)
    listed = _texts(arguments, a, b, Side(a, pairs[0][0], plan.threads))
    rows: list[dict[str, Any]] = []
    for first, second in pairs:
        ours, theirs = Side(a, first, plan.threads), Side(b, second, plan.threads)
        measure.check_labels(ours, theirs)
        rows.append(
            {
                "a": first.name,
                "b": second.name,
                "size_bytes": {"a": ours.size_bytes, "b": theirs.size_bytes},
                "texts": [measure.on_texts(ours, theirs, given) for given in listed],
                "speed": measure.speed(ours, theirs, listed[-1].texts, plan),
            }
        )
    compared = {"a": str(a), "b": str(b), "plan": asdict(plan), "pairs": rows}
    print(table.markdown(compared))
    if arguments.json:
        write_json(arguments.json, compared)
