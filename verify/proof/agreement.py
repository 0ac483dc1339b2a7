"""What an artifact says in several places, said alike: config, thresholds, tokenizer, metadata, constants."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from core.artifact.graph import Graph
from core.artifact.manifest import TOKENIZER_FILE
from core.build.reference import Reference
from core.contract import (
    ATTENTION_MASK,
    BATCH_AXIS,
    INPUT_IDS,
    LOGITS,
    METADATA_KEYS,
    PREDICTIONS,
    PROBABILITIES,
    PROBLEM_TYPE,
    SENTENCE_EMBEDDING,
    SEQUENCE_AXIS,
    THRESHOLDS_FILE,
)
from core.errors import ArtifactError
from core.untrusted import json_file, tokenizer_file
from verify.proof import constants

_Claim = tuple[str, object, object]


def _hold(place: Path, claims: Iterable[_Claim]) -> int:
    count = 0
    for name, found, expected in claims:
        if found != expected or type(found) is not type(expected):
            raise ArtifactError(f"{place}: {name}: found {found!r}, expected {expected!r}")
        count += 1
    return count


def _read(path: Path) -> Any:
    return json_file.read(path, ArtifactError)


def _config_claims(config: dict[str, Any], labels: list[str], max_length: int) -> Iterator[_Claim]:
    yield "id2label", config.get("id2label"), {str(index): label for index, label in enumerate(labels)}
    yield "label2id", config.get("label2id"), {label: index for index, label in enumerate(labels)}
    yield "problem_type", config.get("problem_type"), PROBLEM_TYPE
    yield "max_position_embeddings", int(config.get("max_position_embeddings", 0)) >= max_length, True


def _bill_claims(bill: dict[str, Any], manifest: dict[str, Any]) -> Iterator[_Claim]:
    stated = {part["name"]: part for part in bill["components"]}
    yield "metadata.component.name", bill["metadata"]["component"]["name"], manifest["name"]
    for row in manifest["variants"]:
        hashes = [{"alg": "SHA-256", "content": manifest["files"][row["file"]]["sha256"]}]
        yield f"components {row['file']}", stated.get(row["file"], {}).get("hashes"), hashes
    for name, version in manifest["dependencies"].items():
        yield f"components {name}", stated.get(name, {}).get("version"), version


def check_files(folder: Path, manifest: dict[str, Any]) -> int:
    """Check config, thresholds and tokenizer against the manifest; return how many claims agree.

    Raises:
        ArtifactError: the first that does not.
    """
    head, max_length = manifest["head"], manifest["encoder"]["max_length"]
    labels = manifest["recipe"]["labels"]["names"]
    thresholds = _read(folder / THRESHOLDS_FILE)
    tokenizer = tokenizer_file.load(folder / TOKENIZER_FILE, ArtifactError)
    ordered = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    vocabulary = "".join(f"{token}\n" for token, _ in ordered)
    count = _hold(folder / "manifest.json", [("head.labels", head["labels"], labels)])
    count += _hold(
        folder / THRESHOLDS_FILE, [("labels", list(thresholds), labels), ("", thresholds, head["thresholds"])]
    )
    count += _hold(folder / "config.json", _config_claims(_read(folder / "config.json"), labels, max_length))
    truncation = (tokenizer.truncation or {}).get("max_length")
    count += _hold(folder / TOKENIZER_FILE, [("truncation", truncation, max_length)])
    count += _hold(folder / "sbom.cdx.json", _bill_claims(_read(folder / "sbom.cdx.json"), manifest))
    claims: list[_Claim] = [("tokens", (folder / "vocab.txt").read_bytes() == vocabulary.encode(), True)]
    return count + _hold(folder / "vocab.txt", claims)


def _expected_outputs(manifest: dict[str, Any]) -> dict[str, tuple[str, list[object]]]:
    recipe, labels = manifest["recipe"], len(manifest["head"]["labels"])
    if recipe["contract"] == "per-label":
        found = {name: ("tensor(float)", [BATCH_AXIS, 2]) for name in manifest["head"]["output_order"]}
    else:
        kinds = {LOGITS: "tensor(float)", PROBABILITIES: "tensor(float)", PREDICTIONS: "tensor(bool)"}
        found = {name: (kind, [BATCH_AXIS, labels]) for name, kind in kinds.items()}
    if recipe["sentence_embedding"]:
        found[SENTENCE_EMBEDDING] = ("tensor(float)", [BATCH_AXIS, manifest["encoder"]["hidden"]])
    return found


def _metadata(manifest: dict[str, Any], quantization: str) -> dict[str, str]:
    encoder, head = manifest["encoder"], manifest["head"]
    values = (
        json.dumps(head["labels"], ensure_ascii=False),
        json.dumps(head["thresholds"], ensure_ascii=False),
        PROBLEM_TYPE,
        encoder["pooling"],
        json.dumps(encoder["normalize"]),
        json.dumps(encoder["feature_parts"]),
        str(encoder["max_length"]),
        manifest["name"],
        encoder["sha256"]["model.safetensors"],
        head["sha256"]["model.onnx"],
        quantization,
        manifest["toolchain_version"],
    )
    return dict(zip(METADATA_KEYS, values, strict=True))


def _values(values: Any) -> dict[str, tuple[str, list[object]]]:
    return {value.name: (value.type, list(value.shape)) for value in values}


def _decisions(graph: Graph, reference: Reference) -> Iterator[_Claim]:
    """Yield the graph's own constant against its metadata, and its decisions against its probabilities."""
    limits = np.array([graph.thresholds[label] for label in graph.labels], np.float32)
    yield "thresholds initializer", constants.compared_with(graph.path, PREDICTIONS).tolist(), limits.tolist()
    answers = graph.run_batches(reference.ids, 32)
    decided = answers.probabilities >= limits
    yield "decisions other than its thresholds give", int((answers.predictions != decided).sum()), 0


def check_graph(graph: Graph, manifest: dict[str, Any], quantization: str, reference: Reference) -> int:
    """Check a graph's names, types, axes, metadata and constants; return how many claims agree.

    Raises:
        ArtifactError: the first that does not.
    """
    ids = ("tensor(int64)", [BATCH_AXIS, SEQUENCE_AXIS])
    session = graph.session
    claims: list[_Claim] = [
        ("inputs", _values(session.get_inputs()), {INPUT_IDS: ids, ATTENTION_MASK: ids}),
        ("outputs", _values(session.get_outputs()), _expected_outputs(manifest)),
    ]
    expected = _metadata(manifest, quantization)
    names = sorted(set(graph.metadata) | set(expected))
    claims += [(f"metadata {name}", graph.metadata.get(name), expected.get(name)) for name in names]
    count = _hold(graph.path, claims)
    if manifest["recipe"]["contract"] == "stacked":
        count += _hold(graph.path, _decisions(graph, reference))
    return count
