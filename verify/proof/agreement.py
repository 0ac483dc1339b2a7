"""Check that an artifact's files agree with each other: thresholds, labels, tokens, metadata, names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from core.artifact.graph import Graph
from core.artifact.manifest import MANIFEST_FILE, TOKENIZER_FILE
from core.artifact.metadata import Metadata
from core.build.facts import EncoderInfo, HeadInfo
from core.build.reference import Reference
from core.contract import (
    BATCH_AXIS,
    INPUTS,
    OUTPUT_TYPES,
    PREDICTIONS,
    SENTENCE_EMBEDDING,
    SEQUENCE_AXIS,
    THRESHOLDS_FILE,
)
from core.decisions import decide, threshold_vector
from core.errors import ArtifactError
from core.untrusted import json_file, limits, regular_file, tokenizer_file, vocabulary_file
from core.untrusted.vocabulary_file import VOCABULARY_FILE
from verify.proof import constants

_CONFIG_FILE, _BILL_FILE = "config.json", "sbom.cdx.json"

# A name, the value that a file has for it, and the value that others have.
_Claim = tuple[str, object, object]


def _hold(path: Path, claims: Iterable[_Claim]) -> int:
    count = 0
    for name, value, expected in claims:
        if value != expected or type(value) is not type(expected):
            raise ArtifactError(f"{path}: {name}: found {value!r}, expected {expected!r}")
        count += 1
    return count


def _config_claims(
    config: dict[str, Any], labels: list[str], problem_type: str, max_length: int
) -> Iterator[_Claim]:
    yield "id2label", config.get("id2label"), {str(index): label for index, label in enumerate(labels)}
    yield "label2id", config.get("label2id"), {label: index for index, label in enumerate(labels)}
    yield "problem_type", config.get("problem_type"), problem_type
    yield "max_position_embeddings", int(config.get("max_position_embeddings", 0)) >= max_length, True


def _bill_claims(bill: dict[str, Any], manifest: dict[str, Any]) -> Iterator[_Claim]:
    components = {component["name"]: component for component in bill["components"]}
    yield "metadata.component.name", bill["metadata"]["component"]["name"], manifest["name"]
    graphs = [row["file"] for row in manifest["variants"]]
    # Bills of before it was in them do not list it.
    graphs += [row["file"] for row in [manifest.get("text")] if row and row["file"] in components]
    for file in graphs:
        hashes = [{"alg": "SHA-256", "content": manifest["files"][file]["sha256"]}]
        yield f"components {file}", components.get(file, {}).get("hashes"), hashes
    for name, version in manifest["dependencies"].items():
        yield f"components {name}", components.get(name, {}).get("version"), version


def check_files(folder: Path, manifest: dict[str, Any]) -> int:
    """Check config, thresholds and tokenizer against the manifest; return how many claims agree.

    Raises:
        ArtifactError: the first that does not.
    """
    head, max_length = manifest["head"], manifest["encoder"]["max_length"]
    labels = manifest["recipe"]["labels"]["names"]

    def read(name: str) -> dict[str, Any]:
        return json_file.read_object(folder / name, ArtifactError)

    thresholds = read(THRESHOLDS_FILE)
    path = folder / TOKENIZER_FILE
    tokenizer = tokenizer_file.load(path, ArtifactError)
    truncation = (tokenizer.truncation or {}).get("max_length")
    # Of another tokenizer's than WordPiece, a list of tokens does not say enough.
    is_listed = tokenizer_file.is_wordpiece(tokenizer)
    words = vocabulary_file.content(tokenizer, path, ArtifactError).encode() if is_listed else None
    listed = folder / VOCABULARY_FILE
    found = regular_file.read(listed, limits.JSON_BYTES, ArtifactError) if listed.exists() else None
    same_tokens = found == words
    claims: dict[str, Iterable[_Claim]] = {
        MANIFEST_FILE: [("head.labels", head["labels"], labels)],
        THRESHOLDS_FILE: [("labels", list(thresholds), labels), ("", thresholds, head["thresholds"])],
        _CONFIG_FILE: _config_claims(read(_CONFIG_FILE), labels, head["problem_type"], max_length),
        TOKENIZER_FILE: [("truncation", truncation, max_length)],
        _BILL_FILE: _bill_claims(read(_BILL_FILE), manifest),
        VOCABULARY_FILE: [("tokens", same_tokens, True)],
    }
    return sum(_hold(folder / name, of_file) for name, of_file in claims.items())


def _expected_outputs(manifest: dict[str, Any]) -> dict[str, tuple[str, list[object]]]:
    recipe, labels = manifest["recipe"], len(manifest["head"]["labels"])
    if recipe["contract"] == "per-label":
        outputs = {name: ("tensor(float)", [BATCH_AXIS, 2]) for name in manifest["head"]["output_order"]}
    else:
        outputs = {name: (kind, [BATCH_AXIS, labels]) for name, kind in OUTPUT_TYPES.items()}
    if recipe["sentence_embedding"]:
        outputs[SENTENCE_EMBEDDING] = (
            "tensor(float)",
            [BATCH_AXIS, EncoderInfo(**manifest["encoder"]).embedding],
        )
    return outputs


def _tensors(values: Any) -> dict[str, tuple[str, list[object]]]:
    return {value.name: (value.type, list(value.shape)) for value in values}


def _decisions(graph: Graph, reference: Reference) -> Iterator[_Claim]:
    """Yield the graph's own constant against its metadata, and its decisions against its probabilities."""
    expected = threshold_vector(graph.thresholds, graph.labels)
    yield (
        "thresholds initializer",
        constants.compared_with(graph.path, PREDICTIONS).tolist(),
        expected.tolist(),
    )
    answers = graph.run_batches(reference.ids, 32)
    decided = decide(answers.probabilities, expected, graph.metadata.problem_type)
    yield "decisions other than its thresholds give", int((answers.predictions != decided).sum()), 0


def check_graph(graph: Graph, manifest: dict[str, Any], quantization: str, reference: Reference) -> int:
    """Check a graph's names, types, axes, metadata and constants; return how many claims agree.

    Raises:
        ArtifactError: the first that does not.
    """
    ids = ("tensor(int64)", [BATCH_AXIS, SEQUENCE_AXIS])
    session = graph.session
    claims: list[_Claim] = [
        ("inputs", _tensors(session.get_inputs()), dict.fromkeys(INPUTS, ids)),
        ("outputs", _tensors(session.get_outputs()), _expected_outputs(manifest)),
    ]
    encoder, head = EncoderInfo(**manifest["encoder"]), HeadInfo(**manifest["head"])
    stated = Metadata.of(manifest["name"], encoder, head, quantization, manifest["toolchain_version"])
    expected = stated.to_properties()
    names = sorted(set(graph.properties) | set(expected))
    claims += [(f"metadata {name}", graph.properties.get(name), expected.get(name)) for name in names]
    count = _hold(graph.path, claims)
    if manifest["recipe"]["contract"] == "stacked":
        count += _hold(graph.path, _decisions(graph, reference))
    return count
