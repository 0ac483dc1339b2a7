"""Write the software bill of materials, CycloneDX 1.6: what an artifact was made of, licences, a model card.

The same build gives the same bytes: no timestamp, and a serial number derived from the content.
"""

from __future__ import annotations

import json
import uuid
from importlib import metadata
from typing import Any

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import License
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from core.build.facts import weights_sha256
from core.contract import HEAD_FILES, INPUTS, OUTPUT_TYPES, PROBLEM_NAMES

SBOM_FILE = "sbom.cdx.json"
_Files = dict[str, dict[str, Any]]


def _licenses(stated: str | None) -> list[License]:
    """Return a licence by its SPDX identifier, as an SPDX expression, or else by its name."""
    return [LicenseFactory().make_from_string(stated)] if stated else []


def _package(distribution: str, version: str) -> dict[str, Any]:
    """Return version, address and licence of an installed package, the last as it states it itself."""
    stated = metadata.metadata(distribution)
    classifiers: list[str] = [c for c in stated.get_all("Classifier", []) if c.startswith("License :: ")]
    names = [*stated.get_all("License-Expression", []), *stated.get_all("License", []), *classifiers]
    # Of a licence's whole text the first line, of a classifier the last word.
    first = next((name.strip().splitlines()[0].rpartition(" :: ")[2] for name in names if name.strip()), None)
    purl = PackageURL("pypi", None, distribution, version)
    return {"version": version, "purl": purl, "licenses": _licenses(first)}


def _model(part: str, name: str, sha256: str, properties: dict[str, str], **more: Any) -> Component:
    return Component(
        type=ComponentType.MACHINE_LEARNING_MODEL,
        name=name,
        bom_ref=f"{part}:{name}",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=sha256)],
        properties=[Property(name=key, value=value) for key, value in {"part": part, **properties}.items()],
        **more,
    )


def _encoder(encoder: dict[str, Any]) -> Component:
    """Return the encoder: by its package where it comes from one, else by its revision."""
    source, more = encoder["source"], {"version": encoder["revision"]}
    module = source.removeprefix("package:").split("/")[0].split(".")[0]
    distributions = {*metadata.packages_distributions().get(module, [])}
    if source.startswith("package:") and len(distributions) == 1:
        (distribution,) = distributions
        more = _package(distribution, metadata.version(distribution))
    return _model("encoder", source, weights_sha256(encoder["sha256"]), {}, **more)


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
    outputs, problem = list(OUTPUT_TYPES), PROBLEM_NAMES[described["head"]["problem_type"]]
    if described["recipe"]["contract"] == "per-label":
        outputs = described["head"]["output_order"]
    return {
        "modelParameters": {
            "approach": {"type": "supervised"},
            "task": f"{problem} text classification, {len(labels)} labels",
            "architectureFamily": "transformer encoder",
            "modelArchitecture": "BertForSequenceClassification",
            "inputs": [{"format": f"{name}: int64 [batch, sequence]"} for name in INPUTS],
            "outputs": [{"format": name} for name in outputs],
        },
        "quantitativeAnalysis": {"performanceMetrics": _metrics(described)},
        "considerations": {"technicalLimitations": [f"texts are cut after {length} tokens"]},
    }


def render(described: dict[str, Any], files: _Files) -> str:
    """Return the bill of materials of a manifest's content and of its graphs' entries in `files`."""
    graph_variants = {row["file"]: row["name"] for row in described["variants"]}
    if described["text"]:
        graph_variants[described["text"]["file"]] = described["text"]["variant"]
    graphs = [
        _model("graph", file, files[file]["sha256"], {"variant": variant})
        for file, variant in graph_variants.items()
    ]
    libraries = [
        Component(type=ComponentType.LIBRARY, name=name, bom_ref=f"pkg:{name}", **_package(name, version))
        for name, version in described["dependencies"].items()
    ]
    head = described["head"]
    sha256 = next(head["sha256"][name] for name in HEAD_FILES if name in head["sha256"])
    head = _model("head", head["source"], sha256, {"kind": head["kind"]}, version=head["revision"])
    materials = [_encoder(described["encoder"]), head, *libraries]
    card = described["recipe"].get("card") or {}
    artifact = Component(
        type=ComponentType.MACHINE_LEARNING_MODEL,
        name=described["name"],
        version=described["toolchain_version"],
        bom_ref=f"artifact:{described['name']}",
        licenses=_licenses(card.get("license")),
    )
    content = json.dumps([described, [str(graph.hashes) for graph in graphs]], sort_keys=True)
    bom = Bom(
        serial_number=uuid.uuid5(uuid.NAMESPACE_URL, content),
        metadata=BomMetaData(component=artifact),
        components=[*graphs, *materials],
    )
    bom.register_dependency(artifact, graphs)
    for graph in graphs:
        bom.register_dependency(graph, materials)
    document = json.loads(JsonV1Dot6(bom).output_as_string())
    # The library knows no bill without a time.
    del document["metadata"]["timestamp"]
    document["metadata"]["component"]["modelCard"] = _model_card(described)
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
