"""The steps from an encoder to a finished graph: flat tuples, one per file that is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import onnx_ir as ir

from export.contract import EncoderInfo, GraphError
from export.recipe import Recipe
from graphs import (
    embeddings,
    fuse,
    legal,
    mask,
    merge,
    merge_subgraph,
    pack,
    pool,
    prune,
    quantize,
    simplify,
    stamp,
    unfuse,
)
from graphs.head import LinearHead, SubgraphHead
from graphs.plan import Plan

Counts = dict[str, int]


@dataclass(frozen=True)
class Job:
    """What the steps of one artifact share."""

    recipe: Recipe
    encoder: EncoderInfo
    head: LinearHead | SubgraphHead
    plan: Plan | None = None

    @property
    def weight_bits(self) -> int:
        """Bits of a quantized weight, as the recipe says."""
        variant = self.recipe.variants.get("int8")
        return variant.weight_bits if variant else 8


@dataclass(frozen=True)
class Step:
    """A named rewrite, and how often it must apply to this job's graph (None: it may find nothing)."""

    name: str
    run: Callable[[ir.Model, Job], tuple[ir.Model, Counts]]
    expected: Callable[[Job], Counts] | None


def _fuse(model: ir.Model, job: Job) -> tuple[ir.Model, Counts]:
    return model, fuse.fuse(model)


def _mask(model: ir.Model, job: Job) -> tuple[ir.Model, Counts]:
    return model, {"attention masks": mask.mask(model)}


def _embeddings(model: ir.Model, job: Job) -> tuple[ir.Model, Counts]:
    return model, {"embedding sums": embeddings.embeddings(model)}


def _pool(model: ir.Model, job: Job) -> tuple[ir.Model, Counts]:
    return model, {"poolings": pool.pool(model, job.encoder.pooling, job.encoder.normalize)}


def _merge(model: ir.Model, job: Job) -> tuple[ir.Model, Counts]:
    embedding = merge.embedding_of(model)
    stacked = job.recipe.contract == "stacked"
    if isinstance(job.head, LinearHead):
        count = (merge.stacked if stacked else merge.per_label)(model, job.head)
    else:
        rewrite = merge_subgraph.stacked if stacked else merge_subgraph.per_label
        count = rewrite(model, job.head)
    if job.recipe.sentence_embedding:
        model.graph.outputs.append(embedding)
    return model, {f"{job.head.info.kind} heads": count}


def _pack(model: ir.Model, job: Job) -> tuple[ir.Model, Counts]:
    return model, {"attentions": pack.pack(model)}


def _unfuse(model: ir.Model, job: Job) -> tuple[ir.Model, Counts]:
    return model, {"linear layers": unfuse.unfuse(model)}


def _prune(model: ir.Model, job: Job) -> tuple[ir.Model, Counts]:
    cls = job.encoder.pooling == "cls"
    return model, {"layers": prune.prune(model, job.encoder.layers) if cls else 0}


def _simplify(model: ir.Model, job: Job) -> tuple[ir.Model, Counts]:
    model, removed = simplify.simplify(model)
    return model, {"nodes removed": removed}


def _quantize(model: ir.Model, job: Job) -> tuple[ir.Model, Counts]:
    return model, {"products in int8": quantize.quantize(model, _plan(job))}


def _plan(job: Job) -> Plan:
    if job.plan is None:
        raise GraphError("no quantization plan; `make quantize` finds one")
    for name, found, expected in (
        ("encoder_sha256", job.plan.encoder_sha256, job.encoder.weights_sha256),
        ("head_sha256", job.plan.head_sha256, job.head.info.model_sha256),
        ("weight_bits", job.plan.weight_bits, job.weight_bits),
    ):
        if found != expected:
            raise GraphError(f"the quantization plan has {name} {found}, expected {expected}; search again")
    return job.plan


def _stamp_float(model: ir.Model, job: Job) -> tuple[ir.Model, Counts]:
    values = stamp.metadata(job.recipe, job.encoder, job.head.info, "none")
    return model, {"properties": stamp.stamp(model, values)}


def _stamp_int8(model: ir.Model, job: Job) -> tuple[ir.Model, Counts]:
    values = stamp.metadata(job.recipe, job.encoder, job.head.info, _plan(job).description)
    return model, {"properties": stamp.stamp(model, values)}


def _each_layer(job: Job) -> Counts:
    layers = job.encoder.layers
    return {"Attention": layers, "SkipLayerNormalization": 2 * layers, "BiasGelu": layers}


def _int8_products(job: Job) -> Counts:
    # A linear layer each; one more for a second term, for channels kept in float, for CLS rows.
    count = 0
    for name, site in _plan(job).sites.items():
        cls_rows = job.encoder.pooling == "cls" and name == f"layer_{job.encoder.layers - 1}_qkv"
        terms = {"int8": 1, "int8x2": 2, "float": 0}[site.mode]
        count += terms * (2 if cls_rows else 1)
        if site.mode != "float" and site.float_channels:
            up = _plan(job).sites[name.replace("down", "up")]
            count += {"int8": 1, "int8x2": 2, "float": 0}[up.mode]
    return {"products in int8": count}


MERGE = (
    Step("fuse", _fuse, _each_layer),
    Step("mask", _mask, lambda job: {"attention masks": job.encoder.layers}),
    Step("embeddings", _embeddings, lambda job: {"embedding sums": 1}),
    Step("pool", _pool, lambda job: {"poolings": 1}),
    Step("merge", _merge, lambda job: {f"{job.head.info.kind} heads": 1}),
)
PACK = (
    Step("pack", _pack, lambda job: {"attentions": job.encoder.layers}),
    Step("unfuse", _unfuse, lambda job: {"linear layers": 3 * job.encoder.layers}),
    Step("prune", _prune, lambda job: {"layers": int(job.encoder.pooling == "cls")}),
)
SIMPLIFY = (Step("simplify", _simplify, None),)
FP32 = (Step("stamp", _stamp_float, lambda job: {"properties": 11}),)
INT8 = (
    Step("quantize", _quantize, _int8_products),
    Step("stamp", _stamp_int8, lambda job: {"properties": 11}),
)
STAGES = {"merge": MERGE, "pack": PACK, "simplify": SIMPLIFY, "fp32": FP32, "int8": INT8}


def load(path: Path) -> ir.Model:
    """Read a graph of an earlier stage.

    Raises:
        GraphError: it is missing or not ONNX.
    """
    try:
        # Through the protobuf: initializers in memory, so that a step may rewrite the file it read.
        return ir.from_proto(ir.to_proto(ir.load(path)))
    except Exception as error:  # protobuf and onnx_ir share no base
        raise GraphError(f"{path}: cannot be read as ONNX: {error}") from error


def run(model: ir.Model, job: Job, stage: str) -> Iterator[tuple[str, Counts, ir.Model]]:
    """Run a stage's steps; yield each step's name, counts and result.

    Raises:
        GraphError: a step fails, applies another number of times than it must, or leaves a graph
            that is not legal. The message begins with the step's name.
    """
    for step in STAGES[stage]:
        try:
            model, counts = step.run(model, job)
            legal.check(model)
        except GraphError as error:
            raise GraphError(f"{stage}: {step.name}: {error}") from error
        if step.expected is not None:
            legal.check_count(step.name, counts, step.expected(job))
        yield step.name, counts, model
