"""Encoders with several hidden states pooled, and their heads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx_ir as ir

from core.recipe import FeaturesTable
from graphs.edit import names
from graphs.head import merge, project
from graphs.int8 import calibration
from graphs.packed import pack, prune, unfuse
from graphs.search import initial_plan
from tests.support.factories import Shape
from tests.support.graphs import Exported, exported, linear_head, pooled

LABELS = ["joy", "anger", "neutral"]
# Layers and poolings, of encoders with 3 layers: all means, a mixture, the CLS tokens, not the last layer.
FEATURES = {
    "means": [([0, 2, 3], ["mean"])],
    "mixture": [([3, 0, 1], ["max", "mean", "cls"])],
    "cls": [([1, 3], ["cls"])],
    "below the last": [([0, 2], ["mean"]), ([2], ["max"])],
    "pruned": [([0, 2], ["mean"]), ([3], ["cls"])],
}


def encoder_with_features(folder: Path, name: str) -> Exported:
    """Export an encoder of three layers with the features that `FEATURES` names."""
    parts = [FeaturesTable(layers=layers, pooling=pooling) for layers, pooling in FEATURES[name]]
    # CLS in the recipe, so that batches keep column 0.
    shape = Shape(layers=3, heads=5, hidden=20)
    return exported(folder, shape, "cls", features=parts)


def pruned(made, model):
    unfuse.unfuse(model)
    if made.info.last_is_cls:
        prune.prune(model, made.info.used_layers, names.FEATURE.format(made.info.used_layers, "cls"))
    return model


def with_head(made, *, projected: bool) -> ir.Model:
    model = packed_with_head(made)
    if projected:
        means = sum(pooling == "mean" for _, pooling in made.info.feature_parts)
        assert project.project(model, made.info.feature_parts, merge.head_node("stacked")) == means
    return pruned(made, model)


def packed_with_head(made) -> ir.Model:
    model = pooled(made)
    merge.stacked(model, linear_head(LABELS, made.info.features))
    pack.pack(model)
    return model


def plan_of(made, model):
    random = np.random.default_rng(0)
    lengths = random.integers(2, 30, 40)
    ids = [random.integers(0, made.info.vocabulary, length).astype(np.int32) for length in lengths]
    return initial_plan.initial_plan(model, calibration.calibrate(model, ids), "0" * 64, "0" * 64)
