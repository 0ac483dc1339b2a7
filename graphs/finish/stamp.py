"""Put the metadata into a finished graph, and take out what tools left behind."""

from __future__ import annotations

import onnx_ir as ir

from core.artifact import oldest
from core.artifact.metadata import Metadata
from core.contract import IR_VERSION, PRODUCER


def stamp(model: ir.Model, metadata: Metadata) -> int:
    """Replace a model's metadata, producer and IR version in place; drop what tools left behind.

    Out: the same graph with nothing in it but the contract: no doc strings, no exporter's notes. The oldest
    version of onnxruntime that runs it is stated besides the metadata given.

    Returns:
        The number of metadata properties written.

    Raises:
        ArtifactError: a head's operators are of a version that was not tried.
    """
    ir.passes.common.ClearMetadataAndDocStringPass()(model)
    needed = oldest.of(IR_VERSION, model.opset_imports)
    properties = metadata._replace(onnxruntime=needed).to_properties()
    model.metadata_props.clear()
    model.metadata_props.update(properties)
    model.graph.name = metadata.recipe
    model.ir_version = IR_VERSION
    model.producer_name, model.producer_version = PRODUCER, metadata.toolchain_version
    model.domain, model.model_version, model.doc_string = None, None, None
    return len(properties)
