"""`python -m verify compare`: compare two artifacts. Needs numpy, onnxruntime and tokenizers alone."""

from __future__ import annotations

import argparse
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from core import dataset
from core.artifact import manifest
from core.build import reference
from core.disk.files import write_json
from core.errors import ArtifactError
from verify.compare import measure, table
from verify.compare.measure import Plan, Side, Texts

_NO_DATA = f"GoEmotions was left out: {dataset.GO_EMOTIONS_DIR} is not set."


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads besides the two artifacts."""
    parser.add_argument(
        "--pair", action="append", metavar="A:B", help="variants, such as fp32:int8; else all that both have"
    )
    parser.add_argument("--reference", type=Path, help="by default, A's own, or else B's")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here, too")
    parser.add_argument("--rounds", type=int, default=Plan.rounds)
    parser.add_argument("--texts", type=int, default=Plan.texts, help="a round")
    parser.add_argument("--threads", type=int, default=Plan.threads)


def _pairs(a: Path, b: Path, given: list[str] | None) -> list[tuple[manifest.Variant, manifest.Variant]]:
    ours = {variant.name: variant for variant in manifest.variants(a)}
    theirs = {variant.name: variant for variant in manifest.variants(b)}
    names = [pair.partition(":")[::2] for pair in given or []]
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


def _texts(arguments: argparse.Namespace) -> tuple[list[Texts], list[str]]:
    """Return the texts to compare on, and what to say of those that are left out."""
    folder = next(
        (f for f in (arguments.a, arguments.b) if (f / manifest.REFERENCE_FILE).is_file()), arguments.a
    )
    original = reference.read(manifest.reference_file(folder, arguments.reference))
    # Each alone, as parity has them.
    listed = [Texts("reference", original.texts, 1)]
    if not os.environ.get(dataset.GO_EMOTIONS_DIR):
        return listed, [_NO_DATA]
    split = dataset.read("test", Path())
    return [*listed, Texts("GoEmotions test", split.texts, 32, split.labels)], []


def run(arguments: argparse.Namespace) -> None:
    """Compare, print, write.

    Raises:
        ArtifactError: an artifact cannot be read, or the two have nothing to compare.
        DatasetError: the data set's folder is set, and has no right test split.
        BenchmarkError: a number of the plan is below 1.
    """
    a, b = arguments.a, arguments.b
    plan = Plan(arguments.rounds, arguments.texts, threads=arguments.threads)
    plan.check()
    pairs = _pairs(a, b, arguments.pair)
    listed, notes = _texts(arguments)
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
    compared = {"a": str(a), "b": str(b), "plan": asdict(plan), "notes": notes, "pairs": rows}
    print(table.markdown(compared))
    if arguments.json:
        write_json(arguments.json, compared)
