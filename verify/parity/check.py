"""`python -m verify parity`: check an artifact against a reference, in anybody's CI.

Needs numpy, onnxruntime and tokenizers alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from xml.etree import ElementTree

from core.artifact import manifest, tokens
from core.artifact.graph import Graph
from core.build import reference
from core.build.reference import Reference
from core.disk.files import write_json, write_text
from core.errors import GateError
from verify.escape import visible
from verify.parity import parity, text_ids


@dataclass(frozen=True)
class Check:
    """One check of one subject (a variant, or the tokenizer); `failure` says what is wrong, if anything."""

    subject: str
    name: str
    failure: str | None


def junit_xml(suite: str, checks: Sequence[Check]) -> str:
    """Return JUnit XML: one test case a check."""
    counts = {
        "tests": str(len(checks)),
        "failures": str(sum(check.failure is not None for check in checks)),
        "errors": "0",
    }
    root = ElementTree.Element("testsuites", counts)
    listed = ElementTree.SubElement(root, "testsuite", {"name": visible(suite), **counts})
    for check in checks:
        names = {"classname": f"{visible(suite)}.{visible(check.subject)}", "name": visible(check.name)}
        case = ElementTree.SubElement(listed, "testcase", names)
        if check.failure is not None:
            sentence = visible(check.failure)
            failure = ElementTree.SubElement(case, "failure", {"message": sentence, "type": "GateError"})
            failure.text = sentence
    ElementTree.indent(root)
    body = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads besides the artifact."""
    parser.add_argument("--reference", type=Path, help="by default, the artifact's own")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here, too")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="write the checks here, as JUnit XML")


def measure(
    variants: list[manifest.Variant], original: Reference, tokenizer: Path
) -> tuple[list[parity.Row], list[Check]]:
    """Measure; a variant of another original has a failed check, and no figures."""
    rows: list[parity.Row] = []
    checks = [Check("tokenizer", "token_ids", tokens.difference(tokenizer, original))]
    for variant in variants:
        graph = Graph(variant.file)
        try:
            row = (variant.name, parity.measure(graph, original), variant.tolerance)
        except GateError as error:
            checks.append(Check(variant.name, "same_original", str(error)))
            continue
        rows.append(row)
        checks.append(Check(variant.name, "same_original", None))
        checks += [Check(variant.name, *item) for item in parity.exceeded(*row).items()]
    return rows, checks


def text_checks(folder: Path, original: Reference) -> list[Check]:
    """Check that the graph that takes texts answers as its variant does; nothing where there is none."""
    text = manifest.text_graph(folder)
    if text is None:
        return []
    ids = tokens.encode(folder / manifest.TOKENIZER_FILE, original.texts)
    graphs = Graph(text.file), Graph(text.variant.file)
    agreement = text_ids.compare_answers(*graphs, original.texts, ids)
    return [Check("text", "same_answers", agreement.failure(str(text.file), text.variant.name))]


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
    # The files first: standard output may be closed, or full.
    if arguments.json:
        write_json(arguments.json, {name: asdict(errors) for name, errors, _ in rows})
    if arguments.junit:
        write_text(arguments.junit, junit_xml(folder.resolve().name, checks))
    print(parity.table(rows))
    verdict = f"{len(failures)} FAILED" if failures else "all ok"
    print(f"\n{len(original.texts)} texts, {len(checks)} checks, token ids among them: {verdict}.")
    if failures:
        raise GateError("; ".join(failures))
