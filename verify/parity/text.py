"""`text`: a build's graph that takes texts, before anything is packaged."""

from __future__ import annotations

import json
from dataclasses import asdict

from core import dataset
from core.artifact import tokens
from core.artifact.graph import Graph
from core.artifact.manifest import REFERENCE_FILE, TOKENIZER_FILE
from core.build import reference
from core.contract import TEXT_TOKENIZER_FILE
from core.disk.files import sha256_file, write_text
from core.errors import GateError
from verify.build import Build
from verify.parity import text_ids, text_record

GO_EMOTIONS = "GoEmotions"
# Enough of GoEmotions to run twice through the whole graph; the ids are compared on all.
_ANSWERED = 500


def _lists(build: Build) -> dict[str, list[str] | None]:
    cache = build.folder / "go_emotions"
    test = dataset.read("test", cache).texts if dataset.present("test", cache) else None
    original = reference.read(build.folder / REFERENCE_FILE)
    return {"hostile": text_ids.hostile(), "reference": original.texts, GO_EMOTIONS: test}


def _compare_ids(build: Build) -> tuple[dict[str, text_ids.Differing | None], list[str]]:
    """Return what was found of each list, None where it is not at hand; and the texts to answer."""
    tokenizer = text_ids.GraphTokenizer(build.folder / TEXT_TOKENIZER_FILE)
    found: dict[str, text_ids.Differing | None] = {}
    texts: list[str] = []
    for name, listed in _lists(build).items():
        if listed is None:
            print(f"  verify   text       {name} is not at hand: its token ids are not compared")
            found[name] = None
            continue
        expected = tokens.encode(build.folder / "assets" / TOKENIZER_FILE, listed)
        found[name] = text_ids.compare_ids(listed, tokenizer.encode(listed), expected)
        texts += listed[:_ANSWERED]
    return found, texts


def _graphs(build: Build, variant: str) -> tuple[Graph, Graph]:
    graph, source = Graph(text_record.path(build)), Graph(build.graph(variant))
    if graph.properties != source.properties:
        raise GateError(f"{graph.path}: found other metadata than in {source.path}")
    return graph, source


def run(build: Build) -> None:
    """Measure, print, and write `text.json` where every text gets the tokenizer's ids.

    Raises:
        GateError: a text gets other token ids, or other answers than its ids get from the variant.
        ArtifactError: a file of the build is missing.
        DatasetError: GoEmotions is at hand and damaged.
    """
    if build.recipe.text is None:
        raise GateError(f"{build.recipe.name}: the recipe has no [text]")
    variant, path = build.recipe.text.variant, text_record.path(build)
    found, texts = _compare_ids(build)
    listed = [(name, one) for name, one in found.items() if one]
    wrong = [f"{name}: {one.differ} of {one.texts}; {one.first}" for name, one in listed if one.first]
    if wrong:
        raise GateError(f"{path}: texts with other token ids than the tokenizer's: {'; '.join(wrong)}")
    ids = tokens.encode(build.folder / "assets" / TOKENIZER_FILE, texts)
    agreement = text_ids.compare_answers(*_graphs(build, variant), texts, ids)
    counted = ", ".join(f"{one.texts:,} {name}" for name, one in listed)
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
        "variant_sha256": sha256_file(build.graph(variant)),
        "token_ids": {name: asdict(one) if one else None for name, one in found.items()},
        "answers": asdict(agreement),
    }
    write_text(
        build.folder / text_record.TEXT_RECORD_FILE, json.dumps(record, indent=2, ensure_ascii=False) + "\n"
    )
