"""`parity`: an artifact against a reference. Needs numpy, onnxruntime and tokenizers alone."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from core.artifact import manifest, tokens
from core.artifact.graph import Graph, try_out
from core.artifact.manifest import Tolerance
from core.build import reference
from core.build.reference import Reference
from core.disk.files import write_text
from core.errors import GateError
from verify.parity import junit, parity, text_ids
from verify.parity.junit import Check

_Row = tuple[str, parity.Parity, Tolerance]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads besides the artifact."""
    parser.add_argument("--reference", type=Path, help="by default, the artifact's own")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here, too")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="write the checks here, as JUnit XML")


def table(rows: list[_Row]) -> str:
    """Return parity as a Markdown table with verdicts."""
    return parity.table([(*row, not parity.violations(*row)) for row in rows])


def measure(
    variants: list[manifest.Variant], original: Reference, tokenizer: Path
) -> tuple[list[_Row], list[Check]]:
    """Measure; a variant of another original has a failed check, and no figures."""
    rows: list[_Row] = []
    checks = [Check("tokenizer", "token_ids", tokens.difference(tokenizer, original))]
    for variant in variants:
        try_out(variant.file)
        graph = Graph(variant.file)
        try:
            row = (variant.name, parity.measure(graph, original), variant.tolerance)
        except GateError as error:
            checks.append(Check(variant.name, "same_original", str(error)))
            continue
        rows.append(row)
        checks.append(Check(variant.name, "same_original", None))
        checks += [Check(variant.name, *found) for found in parity.exceeded(*row).items()]
    return rows, checks


def text_checks(folder: Path, original: Reference) -> list[Check]:
    """Check that the graph that takes texts answers as its variant does; nothing where there is none."""
    found = manifest.text_graph(folder)
    if found is None:
        return []
    ids = tokens.encode(folder / manifest.TOKENIZER_FILE, original.texts)
    graphs = Graph(found.file), Graph(found.variant.file)
    agreement = text_ids.compare_answers(*graphs, original.texts, ids)
    return [Check("text", "same_answers", agreement.failure(str(found.file), found.variant.name))]


def run(arguments: argparse.Namespace) -> None:
    """Measure, print, write; the files are written where a check fails, too.

    Raises:
        GateError: a check fails.
        ArtifactError: the artifact or the reference cannot be read.
    """
    folder: Path = arguments.artifact
    variants = manifest.variants(folder)
    original = reference.read(manifest.reference_file(folder, arguments.reference))
    rows, checks = measure(variants, original, folder / manifest.TOKENIZER_FILE)
    checks += text_checks(folder, original)
    failures = [check.failure for check in checks if check.failure is not None]
    print(table(rows))
    verdict = f"{len(failures)} FAILED" if failures else "all ok"
    print(f"\n{len(original.texts)} texts, {len(checks)} checks, token ids among them: {verdict}.")
    if arguments.json:
        figures = {name: asdict(found) for name, found, _ in rows}
        write_text(arguments.json, json.dumps(figures, indent=2, ensure_ascii=False) + "\n")
    if arguments.junit:
        write_text(arguments.junit, junit.xml(folder.resolve().name, checks))
    if failures:
        raise GateError("; ".join(failures))
