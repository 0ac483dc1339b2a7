"""Stamping: what a reader must know, as metadata of the graph; and reading it back."""

from __future__ import annotations

import json

import onnx_ir as ir

from core.build.facts import EncoderInfo, HeadInfo
from core.contract import IR_VERSION, METADATA_KEYS, PROBLEM_TYPE, PRODUCER, TOOLCHAIN_VERSION
from core.recipe import Recipe


def metadata(recipe: Recipe, encoder: EncoderInfo, head: HeadInfo, quantization: str) -> dict[str, str]:
    """Return the metadata of one graph, key → exact string."""
    values = (
        json.dumps(head.labels, ensure_ascii=False),
        json.dumps(head.thresholds, ensure_ascii=False),
        PROBLEM_TYPE,
        encoder.pooling,
        json.dumps(encoder.normalize),
        json.dumps(encoder.feature_parts),
        str(encoder.max_length),
        recipe.name,
        encoder.weights_sha256,
        head.model_sha256,
        quantization,
        TOOLCHAIN_VERSION,
    )
    return dict(zip(METADATA_KEYS, values, strict=True))


def stamp(model: ir.Model, values: dict[str, str]) -> int:
    """Replace a model's metadata, producer and IR version in place; drop what tools left behind.

    Out: the same graph with nothing in it but the contract: no doc strings, no exporter's notes.

    Returns:
        The number of metadata properties written.
    """
    ir.passes.common.ClearMetadataAndDocStringPass()(model)
    model.metadata_props.clear()
    model.metadata_props.update(values)
    model.graph.name = values["recipe"]
    model.ir_version = IR_VERSION
    model.producer_name, model.producer_version = PRODUCER, values["toolchain_version"]
    model.domain, model.model_version, model.doc_string = None, None, None
    return len(values)
