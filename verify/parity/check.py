"""`python -m verify parity`: check an artifact against a reference, in anybody's CI.

Needs numpy, onnxruntime and tokenizers alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from xml.etree import ElementTree

from core import runtime
from core.artifact import manifest, tokens
from core.artifact.graph import Graph
from core.build import reference
from core.build.reference import Reference
from core.disk.files import write_json, write_text
from core.errors import GateError
from verify.escape import shortened, visible
from verify.parity import parity, text_ids


@dataclass(frozen=True)
class Check:
    """One check of one subject (a variant, or the tokenizer); `failure` says what is wrong, if anything."""

    subject: str
    name: str
    failure: str | None


def junit_xml(suite: str, checks: Sequence[Check], properties: Mapping[str, str]) -> str:
    """Return JUnit XML: the suite's properties, and one test case a check."""
    counts = {
        "tests": str(len(checks)),
        "failures": str(sum(check.failure is not None for check in checks)),
        "errors": "0",
    }
    root = ElementTree.Element("testsuites", counts)
    listed = ElementTree.SubElement(root, "testsuite", {"name": visible(suite), **counts})
    stated = ElementTree.SubElement(listed, "properties")
    for name, value in properties.items():
        ElementTree.SubElement(stated, "property", {"name": name, "value": visible(value)})
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
    parser.add_argument("--reference", type=Path, help="to compare with (default: the artifact's own)")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the figures here, too (default: not)"
    )
    parser.add_argument(
        "--junit", type=Path, metavar="FILE", help="write the checks here, as JUnit XML (default: not)"
    )


def opened(variants: list[manifest.Variant]) -> dict[str, Graph]:
    """Open the graphs of an artifact's variants, by name.

    Raises:
        ArtifactError: one is not accepted, or does not load.
    """
    return {variant.name: Graph(variant.file) for variant in variants}


def measure(
    variants: list[manifest.Variant], graphs: dict[str, Graph], original: Reference, tokenizer: Path
) -> tuple[list[parity.Row], list[Check]]:
    """Measure; a variant of another original has a failed check, and no figures."""
    rows: list[parity.Row] = []
    checks = [Check("tokenizer", "token_ids", tokens.difference(tokenizer, original))]
    for variant in variants:
        try:
            row = (variant.name, parity.measure(graphs[variant.name], original), variant.tolerance)
        except GateError as error:
            checks.append(Check(variant.name, "same_original", str(error)))
            continue
        rows.append(row)
        checks.append(Check(variant.name, "same_original", None))
        checks += [Check(variant.name, *item) for item in parity.exceeded(*row).items()]
    return rows, checks


def _shown(value: str | None) -> str:
    return shortened(repr(value), 200)


def _other_metadata(graph: Graph, variant: Graph) -> str | None:
    """Return a sentence where a graph states other metadata than its variant."""
    for name in sorted(set(graph.properties) | set(variant.properties)):
        found, expected = graph.properties.get(name), variant.properties.get(name)
        if found != expected:
            stated = f"found {_shown(found)}, expected {variant.path.name}'s, {_shown(expected)}"
            return f"{graph.path}: metadata {name}: {stated}"
    return None


def text_checks(graph: Graph, variant: Graph, original: Reference) -> list[Check]:
    """Check that a graph that takes texts states and answers what its variant does.

    The token ids are the reference's, which the tokenizer's were compared with.
    """
    same = Check("text", "same_metadata", _other_metadata(graph, variant))
    if same.failure is not None:
        return [same]
    agreement = text_ids.compare_answers(graph, variant, original.texts, original.ids)
    return [same, Check("text", "same_answers", agreement.failure(str(graph.path), variant.path.name))]


def run(arguments: argparse.Namespace) -> None:
    """Measure, print, write; the files are written where a check fails, too.

    Raises:
        GateError: a check fails.
        ArtifactError: the artifact or the reference cannot be read.
    """
    folder: Path = arguments.artifact
    variants, text = manifest.variants(folder), manifest.text_graph(folder)
    original = reference.read(manifest.reference_file(folder, arguments.reference))
    graphs = opened(variants)
    rows, checks = measure(variants, graphs, original, folder / manifest.TOKENIZER_FILE)
    if text:
        checks += text_checks(Graph(text.file), graphs[text.variant.name], original)
    failures = [check.failure for check in checks if check.failure is not None]
    ran_on = runtime.ran_on()
    # The files first: standard output may be closed, or full.
    if arguments.json:
        figures = {name: asdict(errors) for name, errors, _ in rows}
        write_json(arguments.json, {**figures, parity.RAN_ON: ran_on})
    if arguments.junit:
        write_text(arguments.junit, junit_xml(folder.resolve().name, checks, ran_on))
    print(parity.table(rows))
    verdict = f"{len(failures)} FAILED" if failures else "all ok"
    print(f"\n{len(original.texts)} texts, {len(checks)} checks, token ids among them: {verdict}.")
    if failures:
        raise GateError("; ".join(failures))
