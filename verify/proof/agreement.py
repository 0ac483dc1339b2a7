"""Check that an artifact's files agree with each other: thresholds, labels, tokens, metadata, names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

from core.artifact import oldest
from core.artifact.graph import Graph
from core.artifact.manifest import MANIFEST_FILE, REFERENCE_FILE, TOKENIZER_FILE
from core.artifact.metadata import Metadata
from core.build.facts import EncoderInfo, HeadInfo
from core.build.reference import GENERAL_TEXTS, Reference
from core.contract import (
    BATCH_AXIS,
    INPUTS,
    OUTPUT_TYPES,
    PREDICTIONS,
    SENTENCE_EMBEDDING,
    SEQUENCE_AXIS,
    TEXT,
    THRESHOLDS_FILE,
)
from core.decisions import threshold_vector
from core.errors import ArtifactError
from core.untrusted import json_file, limits, regular_file, tokenizer_file, vocabulary_file
from core.untrusted.vocabulary_file import VOCABULARY_FILE
from verify.proof import constants, margins
from verify.proof.settings import Claim, of_config, of_tokenizer

_CONFIG_FILE, _BILL_FILE = "config.json", "sbom.cdx.json"
_SETTINGS_FILE, _SPECIAL_TOKENS_FILE = "tokenizer_config.json", "special_tokens_map.json"
_SHOWN = 20
_PAGES = ("README.md", "report.html")
# All of an artifact but its graphs and the list of tokens, which not every artifact has.
_FILES = (
    *(_CONFIG_FILE, _BILL_FILE, _SETTINGS_FILE, _SPECIAL_TOKENS_FILE, *_PAGES),
    *(TOKENIZER_FILE, THRESHOLDS_FILE, REFERENCE_FILE),
)


def _apart(found: object, expected: object) -> str:
    """Say where two values differ: of lists and objects, in what."""
    if isinstance(found, list) and isinstance(expected, list):
        pairs = enumerate(zip_longest(found, expected))
        differ = next(((at, pair) for at, pair in pairs if pair[0] != pair[1]), None)
        if differ and max(len(found), len(expected)) > _SHOWN:
            return f"found {differ[1][0]!r} in place {differ[0]}, expected {differ[1][1]!r}"
    if isinstance(found, dict) and isinstance(expected, dict):
        key = next((key for key in {**expected, **found} if found.get(key) != expected.get(key)), None)
        if key is not None and max(len(found), len(expected)) > _SHOWN:
            return f"{key!r}: found {found.get(key)!r}, expected {expected.get(key)!r}"
    return f"found {found!r}, expected {expected!r}"


def _hold(path: Path, claims: Iterable[Claim]) -> int:
    count = 0
    for name, value, expected in claims:
        if value != expected or type(value) is not type(expected):
            raise ArtifactError(f"{path}: {name}: {_apart(value, expected)}")
        count += 1
    return count


def _graph_files(manifest: dict[str, Any]) -> list[str]:
    return [row["file"] for row in [*manifest["variants"], manifest["text"]] if row]


def _bill_claims(bill: dict[str, Any], manifest: dict[str, Any]) -> Iterator[Claim]:
    components = {component["name"]: component for component in bill["components"]}
    encoder, head = EncoderInfo(**manifest["encoder"]), HeadInfo(**manifest["head"])
    hashes = {file: manifest["files"][file]["sha256"] for file in _graph_files(manifest)}
    # An encoder and a head of one folder have one name.
    weights = {(encoder.source, encoder.weights_sha256), (head.source, head.model_sha256)}
    models = {
        (component["name"], component["hashes"][0]["content"])
        for component in bill["components"]
        if component["bom-ref"].startswith(("encoder:", "head:"))
    }
    own = bill["metadata"]["component"]
    yield "metadata.component.name", own["name"], manifest["name"]
    yield "metadata.component.version", own["version"], manifest["toolchain_version"]
    for file, sha256 in hashes.items():
        stated = [{"alg": "SHA-256", "content": sha256}]
        yield f"components {file}", components.get(file, {}).get("hashes"), stated
    yield "encoder and head", sorted(models), sorted(weights)
    for name, version in manifest["dependencies"].items():
        yield f"components {name}", components.get(name, {}).get("version"), version
    expected = len(hashes) + 2 + len(manifest["dependencies"])
    yield "number of components", len(bill["components"]), expected


def _manifest_claims(manifest: dict[str, Any], reference: Reference) -> Iterator[Claim]:
    """Yield what the manifest says twice, and what it says of the reference."""
    recipe, head, encoder = manifest["recipe"], manifest["head"], manifest["encoder"]
    labels = recipe["labels"]["names"]
    yield "head.labels", head["labels"], labels
    yield "head.output_order", sorted(head["output_order"]), sorted(labels)
    yield "recipe.name", recipe["name"], manifest["name"]
    for part, stated in (("encoder", encoder), ("head", head)):
        for file, sha256 in recipe[part]["sha256"].items():
            yield f"{part}.sha256 {file}", stated["sha256"].get(file), sha256
    yield "variants", [row["name"] for row in manifest["variants"]], list(recipe["variants"])
    for row in manifest["variants"]:
        allowed = {key: recipe["variants"][row["name"]][key] for key in row["tolerance"]}
        yield f"{row['name']}: tolerance", row["tolerance"], allowed
        yield f"{row['name']}: size", row["size"], manifest["files"][row["file"]]["size"]
        if guard := row.get("guard"):
            rate = recipe["variants"][row["name"]]["max_flip_rate"]
            yield f"{row['name']}: guard.max_flip_rate", guard["max_flip_rate"], rate
        yield f"{row['name']}: parity.texts", row["parity"]["texts"], len(reference.texts)
        yield f"{row['name']}: parity.flips", list(row["parity"]["flips"]), labels
    text, asked = manifest["text"], recipe["text"]
    yield "text.variant", text and text["variant"], asked and asked["variant"]
    if text:
        yield "text.size", text["size"], manifest["files"][text["file"]]["size"]
    graphs = {row["name"]: manifest["files"][row["file"]]["sha256"] for row in manifest["variants"]}
    for row in manifest["evaluations"]:
        yield f"evaluation of {row['variant']}", row["sha256"], graphs.get(row["variant"])
    # Manifests of before there was another kind do not say it.
    yield "reference", manifest.get("reference", GENERAL_TEXTS), reference.source


def check_files(folder: Path, manifest: dict[str, Any], reference: Reference) -> int:
    """Check which files there are, and each that is no graph and no page; return how many claims agree.

    Raises:
        ArtifactError: the first that does not.
    """
    head, encoder = manifest["head"], EncoderInfo(**manifest["encoder"])
    labels, max_length = manifest["recipe"]["labels"]["names"], encoder.max_length

    def read(name: str) -> dict[str, Any]:
        return json_file.read_object(folder / name, ArtifactError)

    path = folder / TOKENIZER_FILE
    tokenizer = tokenizer_file.load(path, ArtifactError)
    # Of another tokenizer's than WordPiece, a list of tokens does not say enough.
    vocabulary = [VOCABULARY_FILE] if tokenizer_file.is_wordpiece(tokenizer) else []
    files = sorted([*_FILES, *vocabulary, *_graph_files(manifest)])
    own = [("files", sorted(manifest["files"], key=str), files), *_manifest_claims(manifest, reference)]
    count = _hold(folder / MANIFEST_FILE, own)
    thresholds = read(THRESHOLDS_FILE)
    truncation = (tokenizer.truncation or {}).get("max_length")
    settings, special = read(_SETTINGS_FILE), read(_SPECIAL_TOKENS_FILE)
    claims: dict[str, Iterable[Claim]] = {
        THRESHOLDS_FILE: [("labels", list(thresholds), labels), ("", thresholds, head["thresholds"])],
        _CONFIG_FILE: of_config(read(_CONFIG_FILE), encoder, labels, head["problem_type"]),
        TOKENIZER_FILE: [("truncation", truncation, max_length), ("padding", tokenizer.padding, None)],
        _SETTINGS_FILE: of_tokenizer(settings, special, tokenizer, max_length),
        _BILL_FILE: _bill_claims(read(_BILL_FILE), manifest),
    }
    for name in vocabulary:
        words = vocabulary_file.content(tokenizer, path, ArtifactError).encode()
        found = regular_file.read(folder / name, limits.JSON_BYTES, ArtifactError)
        claims[name] = [("tokens", found == words, True)]
    return count + sum(_hold(folder / name, of_file) for name, of_file in claims.items())


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


def _thresholds(graph: Graph) -> Claim:
    """Return the constant that a graph decides with against its metadata."""
    expected = threshold_vector(graph.thresholds, graph.labels)
    found = constants.compared_with(graph.path, PREDICTIONS)
    return "thresholds initializer", found.tolist(), expected.tolist()


def check_graph(graph: Graph, manifest: dict[str, Any], row: dict[str, Any]) -> int:
    """Check a graph against its row of a manifest: names, types, axes, metadata and constants.

    Returns:
        How many claims agree.

    Raises:
        ArtifactError: the first that does not.
    """
    ids = ("tensor(int64)", [BATCH_AXIS, SEQUENCE_AXIS])
    session = graph.session
    claims: list[Claim] = [
        ("inputs", _tensors(session.get_inputs()), dict.fromkeys(INPUTS, ids)),
        ("outputs", _tensors(session.get_outputs()), _expected_outputs(manifest)),
    ]
    encoder, head = EncoderInfo(**manifest["encoder"]), HeadInfo(**manifest["head"])
    stated = Metadata.of(manifest["name"], encoder, head, row["quantization"], manifest["toolchain_version"])
    stated = stated._replace(guard=row.get("guard"))
    if graph.metadata.onnxruntime:
        stated = stated._replace(onnxruntime=oldest.of_file(graph.path))
    expected = stated.to_properties()
    names = sorted(set(graph.properties) | set(expected))
    claims += [(f"metadata {name}", graph.properties.get(name), expected.get(name)) for name in names]
    # Manifests of before there was this property don't mention it.
    claims.append(("onnxruntime of the manifest", row.get("onnxruntime", ""), graph.metadata.onnxruntime))
    if manifest["recipe"]["contract"] == "stacked":
        claims.append(_thresholds(graph))
    claims += margins.claims(graph, head)
    return _hold(graph.path, claims)


def check_text_graph(graph: Graph, variant: Graph, head: HeadInfo) -> int:
    """Check that a graph that takes texts states what its variant does; return how many claims agree.

    Its answers are for `verify.parity.check`.

    Raises:
        ArtifactError: the first that does not.
    """
    outputs = _tensors(variant.session.get_outputs())
    names = sorted(set(graph.properties) | set(variant.properties))
    claims: list[Claim] = [
        ("inputs", _tensors(graph.session.get_inputs()), {TEXT: ("tensor(string)", [BATCH_AXIS])}),
        ("outputs", _tensors(graph.session.get_outputs()), outputs),
        *[(f"metadata {name}", graph.properties.get(name), variant.properties.get(name)) for name in names],
    ]
    if PREDICTIONS in outputs:
        claims.append(_thresholds(graph))
    claims += margins.claims(graph, head)
    return _hold(graph.path, claims)
