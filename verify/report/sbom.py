"""The software bill of materials, CycloneDX 1.6: what an artifact was made of, and its model card's figures.

The same build gives the same bytes: no timestamp, and a serial number derived from the content.
"""

from __future__ import annotations

import json
import uuid
from typing import Any

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

SBOM_FILE = "sbom.cdx.json"
_Files = dict[str, dict[str, Any]]


def _hashes(sha256: str) -> list[HashType]:
    return [HashType(alg=HashAlgorithm.SHA_256, content=sha256)]


def _model(part: str, name: str, version: str | None, sha256: str, **properties: str) -> Component:
    return Component(
        type=ComponentType.MACHINE_LEARNING_MODEL,
        name=name,
        version=version,
        bom_ref=f"{part}:{name}",
        hashes=_hashes(sha256),
        properties=[Property(name=key, value=value) for key, value in {"part": part, **properties}.items()],
    )


def _sources(described: dict[str, Any]) -> list[Component]:
    encoder, head = described["encoder"], described["head"]
    weights, classifier = encoder["sha256"]["model.safetensors"], head["sha256"]["model.onnx"]
    return [
        _model("encoder", encoder["source"], encoder["revision"], weights),
        _model("head", head["source"], head["revision"], classifier, kind=head["kind"]),
    ]


def _libraries(described: dict[str, Any]) -> list[Component]:
    return [
        Component(
            type=ComponentType.LIBRARY,
            name=name,
            version=version,
            bom_ref=f"pkg:{name}",
            purl=PackageURL("pypi", None, name, version),
        )
        for name, version in described["dependencies"].items()
    ]


def _metrics(described: dict[str, Any]) -> list[dict[str, str]]:
    figures = [
        (name, row["parity"][name], f"{row['name']}, reference texts")
        for row in described["variants"]
        for name in ("max_probability_error", "flip_rate")
    ]
    return [{"type": kind, "value": f"{value:.6g}", "slice": part} for kind, value, part in figures]


def _model_card(described: dict[str, Any]) -> dict[str, Any]:
    """Return the ML fields; the library's own model has none (11.12)."""
    length, labels = described["encoder"]["max_length"], described["head"]["labels"]
    outputs = ["logits", "probabilities", "predictions"]
    if described["recipe"]["contract"] == "per-label":
        outputs = described["head"]["output_order"]
    return {
        "modelParameters": {
            "approach": {"type": "supervised"},
            "task": f"multi-label text classification, {len(labels)} labels",
            "architectureFamily": "transformer encoder",
            "modelArchitecture": "BertForSequenceClassification",
            "inputs": [
                {"format": f"{name}: int64 [batch, sequence]"} for name in ("input_ids", "attention_mask")
            ],
            "outputs": [{"format": name} for name in outputs],
        },
        "quantitativeAnalysis": {"performanceMetrics": _metrics(described)},
        "considerations": {"technicalLimitations": [f"texts are cut after {length} tokens"]},
    }


def render(described: dict[str, Any], files: _Files) -> str:
    """Return the bill of materials of a manifest's content and of its graphs' entries in `files`."""
    graphs = [
        _model("graph", row["file"], None, files[row["file"]]["sha256"], variant=row["name"])
        for row in described["variants"]
    ]
    sources, libraries = _sources(described), _libraries(described)
    whole = Component(
        type=ComponentType.MACHINE_LEARNING_MODEL,
        name=described["name"],
        version=described["toolchain_version"],
        bom_ref=f"artifact:{described['name']}",
    )
    content = json.dumps([described, [str(found.hashes) for found in graphs]], sort_keys=True)
    bom = Bom(
        serial_number=uuid.uuid5(uuid.NAMESPACE_URL, content),
        metadata=BomMetaData(component=whole),
        components=[*graphs, *sources, *libraries],
    )
    bom.register_dependency(whole, graphs)
    for graph in graphs:
        bom.register_dependency(graph, [*sources, *libraries])
    document = json.loads(JsonV1Dot6(bom).output_as_string())
    # The library knows no bill without a time.
    del document["metadata"]["timestamp"]
    document["metadata"]["component"]["modelCard"] = _model_card(described)
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
