"""Put the metadata into a finished graph, and take out what tools left behind."""

from __future__ import annotations

import onnx_ir as ir

from core.artifact.metadata import Metadata
from core.contract import IR_VERSION, PRODUCER


def stamp(model: ir.Model, metadata: Metadata) -> int:
    """Replace a model's metadata, producer and IR version in place; drop what tools left behind.

    Out: the same graph with nothing in it but the contract: no doc strings, no exporter's notes.

    Returns:
        The number of metadata properties written.
    """
    ir.passes.common.ClearMetadataAndDocStringPass()(model)
    properties = metadata.to_properties()
    model.metadata_props.clear()
    model.metadata_props.update(properties)
    model.graph.name = metadata.recipe
    model.ir_version = IR_VERSION
    model.producer_name, model.producer_version = PRODUCER, metadata.toolchain_version
    model.domain, model.model_version, model.doc_string = None, None, None
    return len(properties)
