"""`gate`: measure a build's finished graphs, and the one that takes texts, before anything is packaged."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from core import runtime
from core.artifact import tokens
from core.artifact.graph import Graph
from core.artifact.manifest import REFERENCE_FILE, TOKENIZER_FILE
from core.build import reference
from core.contract import TEXT_TOKENIZER_FILE
from core.disk.files import sha256_file, write_json
from core.errors import GateError
from verify.build import PARITY_FILE, TEXT_RECORD_FILE, Build
from verify.parity import parity, text_ids

# Enough of the test split to run twice through the whole graph; the ids are compared on all.
_ANSWERED = 500


def run(build: Build) -> None:
    """Measure, print, and write `parity.json` where everything is within the recipe's tolerances.

    Raises:
        GateError: a variant is over a tolerance, or the tokenizer gives other ids than the reference's.
        ArtifactError: a file of the build is missing.
    """
    original = reference.read(build.folder / REFERENCE_FILE)
    rows: list[parity.Row] = []
    records: dict[str, Any] = {parity.RAN_ON: runtime.ran_on()}
    for name in build.recipe.variants:
        graph = Graph(build.graph(name))
        figures = parity.measure(graph, original)
        rows.append((name, figures, build.tolerance(name)))
        records[name] = {
            "sha256": sha256_file(build.graph(name)),
            "quantization": graph.metadata.quantization,
            "onnxruntime": graph.metadata.onnxruntime,
            "guard": graph.metadata.guard,
            "parity": asdict(figures),
        }
    print(parity.table(rows))
    sentences = [sentence for row in rows for sentence in parity.violations(*row)]
    other_ids = tokens.difference(build.folder / "assets" / TOKENIZER_FILE, original)
    if sentences or other_ids:
        raise GateError("; ".join([*sentences, *([other_ids] if other_ids else [])]))
    write_json(build.folder / PARITY_FILE, records)


def _compare_ids(build: Build) -> tuple[dict[str, text_ids.Differing | None], list[str]]:
    """Return how each list of texts compares, None where it is not at hand; and the texts to answer."""
    tokenizer, data = text_ids.GraphTokenizer(build.folder / TEXT_TOKENIZER_FILE), build.data
    lists = {
        "hostile": text_ids.hostile(),
        "reference": reference.read(build.folder / REFERENCE_FILE).texts,
    }
    if data is not None and "test" in data.table.places:
        lists[data.title] = data.read("test").texts if data.at_hand("test") else []
    compared: dict[str, text_ids.Differing | None] = dict.fromkeys(lists)
    for name, texts in lists.items():
        if texts:
            expected = tokens.encode(build.folder / "assets" / TOKENIZER_FILE, texts)
            compared[name] = text_ids.compare_ids(texts, tokenizer.encode(texts), expected)
        else:
            print(f"  verify   text       {name} is not at hand: its token ids are not compared")
    return compared, [text for texts in lists.values() for text in texts[:_ANSWERED]]


def run_text(build: Build, variant: str) -> None:
    """Measure the graph that takes texts; print, and write `text.json` where each gets the tokenizer's ids.

    Raises:
        GateError: a text gets other token ids, or other answers than its ids get from the variant.
        ArtifactError: a file of the build is missing.
        DatasetError: the test split is at hand and damaged.
    """
    path = build.text_graph
    compared, texts = _compare_ids(build)
    lists = [(name, differing) for name, differing in compared.items() if differing]
    wrong = [f"{name}: {ids.differ} of {ids.texts}; {ids.first}" for name, ids in lists if ids.first]
    if wrong:
        raise GateError(f"{path}: texts with other token ids than the tokenizer's: {'; '.join(wrong)}")
    graph, source = Graph(path), Graph(build.graph(variant))
    if graph.properties != source.properties:
        raise GateError(f"{path}: found other metadata than in {source.path}")
    ids = tokens.encode(build.folder / "assets" / TOKENIZER_FILE, texts)
    agreement = text_ids.compare_answers(graph, source, texts, ids)
    counted = ", ".join(f"{differing.texts:,} {name}" for name, differing in lists)
    print(
        f"  verify   text       token ids equal on {counted} texts; answers on {agreement.texts:,}: "
        f"{agreement.max_probability_difference:.1e} from {variant}"
    )
    failure = agreement.failure(str(path), variant)
    if failure:
        raise GateError(failure)
    record = {
        "variant": variant,
        "sha256": sha256_file(path),
        "variant_sha256": sha256_file(source.path),
        "token_ids": {name: asdict(ids) if ids else None for name, ids in compared.items()},
        "answers": asdict(agreement),
    }
    write_json(build.folder / TEXT_RECORD_FILE, record)
