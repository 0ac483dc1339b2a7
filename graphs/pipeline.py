"""The steps from an encoder to a finished graph: flat tuples, one per file that is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import onnx_ir as ir

from core.artifact.metadata import Metadata
from core.errors import GraphError
from graphs.edit import legal, names
from graphs.encoder import embeddings, features, fuse, mask, pool
from graphs.finish import simplify, stamp, standard, token_dimension
from graphs.head import merge, project, subgraph
from graphs.head.files import LinearHead
from graphs.int8 import quantize
from graphs.job import Counts, Job, each_layer, front_of, int8_products, means, of_all_tokens, plan_of
from graphs.packed import pack, prune, unfuse
from graphs.tokenizer import build
from graphs.unpadded import branch


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
    if job.encoder.feature_layers:
        return model, {"poolings": features.features(model, job.encoder)}
    return model, {"poolings": pool.pool(model, job.encoder.pooling, job.encoder.normalize)}


def _merge(model: ir.Model, job: Job) -> tuple[ir.Model, Counts]:
    embedding = merge.embedding_of(model)
    stacked = job.recipe.contract == "stacked"
    if isinstance(job.head, LinearHead):
        count = (merge.stacked if stacked else merge.per_label)(model, job.head)
    else:
        rewrite = subgraph.stacked if stacked else subgraph.per_label
        count = rewrite(model, job.head)
    if job.recipe.sentence_embedding:
        model.graph.outputs.append(embedding)
    return model, {f"{job.head.info.kind} heads": count}


def _pack(model: ir.Model, job: Job) -> tuple[ir.Model, Counts]:
    return model, {"attentions": pack.pack(model)}


def _unfuse(model: ir.Model, job: Job) -> tuple[ir.Model, Counts]:
    return model, {"linear layers": unfuse.unfuse(model)}


def _project(model: ir.Model, job: Job) -> tuple[ir.Model, Counts]:
    parts = job.encoder.feature_parts if isinstance(job.head, LinearHead) else []
    return model, {"means": project.project(model, parts, merge.head_node(job.recipe.contract))}


def _prune(model: ir.Model, job: Job) -> tuple[ir.Model, Counts]:
    if not job.encoder.last_is_cls:
        return model, {"layers": 0}
    last = job.encoder.used_layers
    pooled = names.FEATURE.format(last, "cls") if job.encoder.feature_layers else names.POOLED
    return model, {"layers": prune.prune(model, last, pooled)}


def _simplify(model: ir.Model, job: Job) -> tuple[ir.Model, Counts]:
    model, removed = simplify.simplify(model)
    return model, {"nodes removed": removed}


def _quantize(model: ir.Model, job: Job) -> tuple[ir.Model, Counts]:
    return model, {"products in int8": quantize.quantize(model, plan_of(job))}


def _tokens(model: ir.Model, job: Job) -> tuple[ir.Model, Counts]:
    return model, {"attentions": token_dimension.name(model, job.encoder.hidden)}


def _unpadded(model: ir.Model, job: Job) -> tuple[ir.Model, Counts]:
    return model, {"branches": branch.unpadded(model)}


def _standard(model: ir.Model, job: Job) -> tuple[ir.Model, Counts]:
    return model, {"Gelu": standard.standard(model)}


def _text(model: ir.Model, job: Job) -> tuple[ir.Model, Counts]:
    return model, {"tokenizers": build.text(model, front_of(job))}


def _stamp_float(model: ir.Model, job: Job) -> tuple[ir.Model, Counts]:
    metadata = Metadata.of(job.recipe.name, job.encoder, job.head.info, "none")
    return model, {"properties": stamp.stamp(model, metadata)}


def _stamp_int8(model: ir.Model, job: Job) -> tuple[ir.Model, Counts]:
    metadata = Metadata.of(job.recipe.name, job.encoder, job.head.info, plan_of(job).description)
    return model, {"properties": stamp.stamp(model, metadata)}


MERGE = (
    Step("fuse", _fuse, each_layer),
    Step("mask", _mask, lambda job: {"attention masks": job.encoder.used_layers}),
    Step("embeddings", _embeddings, lambda job: {"embedding sums": 1}),
    Step("pool", _pool, lambda job: {"poolings": len(job.encoder.feature_parts) or 1}),
    Step("merge", _merge, lambda job: {f"{job.head.info.kind} heads": 1}),
)
PACK = (
    Step("pack", _pack, lambda job: {"attentions": job.encoder.used_layers}),
    Step("project", _project, means),
    Step("unfuse", _unfuse, lambda job: {"linear layers": 3 * job.encoder.used_layers}),
    Step("prune", _prune, lambda job: {"layers": int(job.encoder.last_is_cls)}),
)
SIMPLIFY = (Step("simplify", _simplify, None),)
FP32 = (
    Step("tokens", _tokens, of_all_tokens),
    Step("standard", _standard, lambda job: {"Gelu": job.encoder.used_layers}),
    Step("stamp", _stamp_float, lambda job: {"properties": len(Metadata._fields)}),
)
INT8 = (
    Step("quantize", _quantize, int8_products),
    Step("tokens", _tokens, of_all_tokens),
    Step("unpadded", _unpadded, lambda job: {"branches": 1}),
    Step("stamp", _stamp_int8, lambda job: {"properties": len(Metadata._fields)}),
)
# From a finished graph.
TEXT = (Step("text", _text, lambda job: {"tokenizers": 1}),)
STAGES = {
    "merge": MERGE,
    "pack": PACK,
    "simplify": SIMPLIFY,
    "fp32": FP32,
    "int8": INT8,
    "text": TEXT,
}


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
