"""Tiny graphs of every form that a build can make, of random weights, finished and stamped."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx_ir as ir
from sklearn.tree import DecisionTreeClassifier

from core.artifact.metadata import Metadata
from core.build.facts import HeadInfo
from core.recipe import HeadTable
from export.head import published_head
from export.sources import resolve
from graphs.finish import simplify, stamp, standard
from graphs.guard import answers, guard
from graphs.head import files, merge, subgraph
from graphs.int8 import quantize, sums
from graphs.packed import pack, unfuse
from graphs.search import schemes
from graphs.unpadded import branch
from tests.support import features, heads
from tests.support.factories import Shape
from tests.support.graphs import Exported, exported, linear_head, pooled, softmax_head
from tests.support.quantization import LABELS, all_in, bare, busy, packed_with_head, plan_of

VOCABULARY, TEXTS = 30, 24


def ids() -> list[list[int]]:
    """Return token ids of texts of 1 to 20 tokens."""
    random = np.random.default_rng(0)
    return [random.integers(0, VOCABULARY, length).tolist() for length in random.integers(1, 21, TEXTS)]


def _packed(made: Exported, head: files.LinearHead | files.SubgraphHead, contract: str) -> ir.Model:
    model, room = pooled(made), merge if isinstance(head, files.LinearHead) else subgraph
    (room.stacked if contract == "stacked" else room.per_label)(model, head)
    pack.pack(model)
    unfuse.unfuse(model)
    return model


def _trees(folder: Path, hidden: int) -> None:
    """Write a head of one decision tree a label."""
    x, truths = heads.data(hidden, len(LABELS))
    trees = {
        label: DecisionTreeClassifier(max_depth=3, random_state=0).fit(x, truths[:, column])
        for column, label in enumerate(LABELS)
    }
    heads.write_head(folder, heads.named(trees, hidden), LABELS)
    source = resolve.Source("path:head", folder)
    read = published_head.read(source, HeadTable(source="path:head"), LABELS, hidden)
    assert read.info.kind == "subgraph"
    published_head.write(read, folder)


def _fp32(model: ir.Model) -> ir.Model:
    simplify.simplify(model)
    standard.standard(model)
    return model


def _int8(model: ir.Model, plan) -> ir.Model:
    quantize.quantize(model, plan)
    branch.unpadded(model)
    return model


def _guarded(float_model: ir.Model, plan, head: HeadInfo) -> ir.Model:
    """Join a packed graph's two forms as the pipeline does; about half of the texts are asked twice."""
    model, exact = float_model, float_model.clone()
    quantize.with_float_words(model, plan)
    for half in (model, exact):
        sums.sums(half)
        answers.cut(half, head)
    branch.unpadded(model)
    guard.guard(model, exact, head, (0.3,) * len(head.labels))
    answers.finish(model, head)
    return model


def _models(folder: Path) -> Iterator[tuple[str, ir.Model, Exported, HeadInfo]]:
    mean = exported(folder / "mean", Shape(layers=2, heads=3), "mean")
    hidden = mean.info.hidden
    linear = linear_head(LABELS, hidden)
    for contract in ("stacked", "per-label"):
        yield f"fp32, {contract}", _fp32(_packed(mean, linear, contract)), mean, linear.info
    single = softmax_head(LABELS, hidden, [0.0] * len(LABELS))
    yield "fp32, single-label", _fp32(_packed(mean, single, "stacked")), mean, single.info
    _trees(folder / "trees", hidden)
    for contract in ("stacked", "per-label"):
        # Its nodes are moved into the graph.
        trees = files.read(folder / "trees")
        yield f"fp32, trees, {contract}", _fp32(_packed(mean, trees, contract)), mean, trees.info
    plans = {
        "bare": bare(mean),
        "parts": plan_of(mean, scheme=schemes.cheaper("parts")[0]),
        "shared": plan_of(mean, scheme=schemes.cheaper("shared")[0]),
        "full": plan_of(mean),
        "float and split channels": busy(plan_of(mean)),
        "two terms": all_in(plan_of(mean), "int8x2"),
    }
    for name, plan in plans.items():
        yield f"int8, {name}", _int8(packed_with_head(mean), plan), mean, linear.info
    for contract in ("stacked", "per-label"):
        trees = files.read(folder / "trees")
        model = _int8(_packed(mean, trees, contract), plans["bare"])
        yield f"int8, trees, {contract}", model, mean, trees.info
    yield "int8, per-label", _int8(_packed(mean, linear, "per-label"), plans["bare"]), mean, linear.info
    for kind, of_kind, contract in (
        ("stacked", linear, "stacked"),
        ("per-label", linear, "per-label"),
        ("single-label", single, "stacked"),
    ):
        model = _guarded(_packed(mean, of_kind, contract), plans["bare"], of_kind.info)
        yield f"guarded, {kind}", model, mean, of_kind.info
    # Of one layer, which is pruned, it has no groups of rows, and 1.16 runs it too.
    cls = exported(folder / "cls", Shape(layers=2, heads=5, hidden=20), "cls", normalize=False)
    head = linear_head(LABELS, cls.info.hidden)
    yield "int8, first token", _int8(packed_with_head(cls), bare(cls)), cls, head.info
    mixed = features.encoder_with_features(folder / "mixture", "mixture")
    model = features.with_head(mixed, projected=False)
    plan = features.plan_of(mixed, model)
    head = linear_head(features.LABELS, mixed.info.features)
    yield "int8, features", _int8(features.with_head(mixed, projected=True), plan), mixed, head.info


def write(folder: Path) -> dict[str, Path]:
    """Write the graphs; return their files by name."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {}
    with tempfile.TemporaryDirectory() as scratch:
        for number, (name, model, made, head) in enumerate(_models(Path(scratch))):
            stamp.stamp(model, Metadata.of("tiny", made.info, head, name))
            paths[name] = folder / f"{number}.onnx"
            ir.save(model, paths[name])
    return paths
