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
    """A named rewrite of a graph in place, and how often it must apply to this job's graph.

    `expected` is None where it may find nothing.
    """

    name: str
    rewrite: Callable[[ir.Model, Job], Counts]
    expected: Callable[[Job], Counts] | None


def _pool(model: ir.Model, job: Job) -> Counts:
    if job.encoder.feature_layers:
        return {"poolings": features.features(model, job.encoder)}
    return {"poolings": pool.pool(model, job.encoder.pooling, job.encoder.normalize)}


def _merge(model: ir.Model, job: Job) -> Counts:
    embedding = merge.embedding_of(model)
    stacked = job.recipe.contract == "stacked"
    if isinstance(job.head, LinearHead):
        count = (merge.stacked if stacked else merge.per_label)(model, job.head)
    else:
        count = (subgraph.stacked if stacked else subgraph.per_label)(model, job.head)
    if job.recipe.sentence_embedding:
        model.graph.outputs.append(embedding)
    return {f"{job.head.info.kind} heads": count}


def _project(model: ir.Model, job: Job) -> Counts:
    parts = job.encoder.feature_parts if isinstance(job.head, LinearHead) else []
    return {"means": project.project(model, parts, merge.head_node(job.recipe.contract))}


def _prune(model: ir.Model, job: Job) -> Counts:
    if not job.encoder.last_is_cls:
        return {"layers": 0}
    last = job.encoder.used_layers
    pooled = names.FEATURE.format(last, "cls") if job.encoder.feature_layers else names.POOLED
    return {"layers": prune.prune(model, last, pooled)}


def _stamp(model: ir.Model, job: Job, quantization: str) -> Counts:
    metadata = Metadata.of(job.recipe.name, job.encoder, job.head.info, quantization)
    return {"properties": stamp.stamp(model, metadata)}


def _properties(_: Job) -> Counts:
    return {"properties": len(Metadata._fields)}


MERGE = (
    Step("fuse", lambda model, job: fuse.fuse(model), each_layer),
    Step(
        "mask",
        lambda model, job: {"attention masks": mask.mask(model)},
        lambda job: {"attention masks": job.encoder.used_layers},
    ),
    Step(
        "embeddings",
        lambda model, job: {"embedding sums": embeddings.embeddings(model)},
        lambda job: {"embedding sums": 1},
    ),
    Step("pool", _pool, lambda job: {"poolings": len(job.encoder.feature_parts) or 1}),
    Step("merge", _merge, lambda job: {f"{job.head.info.kind} heads": 1}),
)
PACK = (
    Step(
        "pack",
        lambda model, job: {"attentions": pack.pack(model)},
        lambda job: {"attentions": job.encoder.used_layers},
    ),
    Step("project", _project, means),
    Step(
        "unfuse",
        lambda model, job: {"linear layers": unfuse.unfuse(model)},
        lambda job: {"linear layers": 3 * job.encoder.used_layers},
    ),
    Step("prune", _prune, lambda job: {"layers": int(job.encoder.last_is_cls)}),
)
SIMPLIFY = (Step("simplify", lambda model, job: {"nodes removed": simplify.simplify(model)}, None),)
_TOKENS = Step(
    "tokens",
    lambda model, job: {"attentions": token_dimension.name(model, job.encoder.hidden)},
    of_all_tokens,
)
FP32 = (
    _TOKENS,
    Step(
        "standard",
        lambda model, job: {"Gelu": standard.standard(model)},
        lambda job: {"Gelu": job.encoder.used_layers},
    ),
    Step("stamp", lambda model, job: _stamp(model, job, "none"), _properties),
)
INT8 = (
    Step(
        "quantize",
        lambda model, job: {"products in int8": quantize.quantize(model, plan_of(job))},
        int8_products,
    ),
    _TOKENS,
    Step("unpadded", lambda model, job: {"branches": branch.unpadded(model)}, lambda job: {"branches": 1}),
    Step("stamp", lambda model, job: _stamp(model, job, plan_of(job).description), _properties),
)
# From a finished graph.
TEXT = (
    Step(
        "text",
        lambda model, job: {"tokenizers": build.text(model, front_of(job))},
        lambda job: {"tokenizers": 1},
    ),
)
STAGES = {
    "merge": MERGE,
    "pack": PACK,
    "simplify": SIMPLIFY,
    "fp32": FP32,
    "int8": INT8,
    "text": TEXT,
}


def run(model: ir.Model, job: Job, stage: str) -> Iterator[tuple[str, Counts]]:
    """Run a stage's steps on a model, in place; yield each step's name and counts.

    Raises:
        GraphError: a step fails, applies another number of times than it must, or leaves a graph
            that is not legal. The message begins with the step's name.
    """
    for step in STAGES[stage]:
        try:
            counts = step.rewrite(model, job)
            legal.check(model)
        except GraphError as error:
            raise GraphError(f"{stage}: {step.name}: {error}") from error
        if step.expected is not None:
            legal.check_count(step.name, counts, step.expected(job))
        yield step.name, counts
