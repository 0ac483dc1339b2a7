"""The steps from an encoder to a finished graph: flat tuples, one per file that is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from core.artifact.metadata import Guard, Metadata
from core.build.plan import GUARD_STATED
from core.errors import GraphError
from graphs.edit import legal, names, pair_safe
from graphs.encoder import embeddings, features, fuse, mask, pool
from graphs.finish import simplify, stamp, standard, token_dimension
from graphs.guard import answers, guard
from graphs.head import merge, project, subgraph
from graphs.head.files import LinearHead
from graphs.int8 import channel_order, quantize, single_rows, sums
from graphs.job import (
    Counts,
    Job,
    each_layer,
    exact_of,
    front_of,
    int8_products,
    means,
    of_all_tokens,
    plan_of,
    sums_of_tokens,
)
from graphs.packed import pack, prune, unfuse
from graphs.tokenizer import build
from graphs.unpadded import branch


@dataclass(frozen=True)
class Step:
    """A named rewrite of a graph in place: what it counts, and how many it must find in a job's graph.

    One that counts several things returns a number of each. `expected` is None where it may find nothing.
    """

    name: str
    counted: str
    rewrite: Callable[[ir.Model, Job], int | Counts]
    expected: Callable[[Job], int | Counts] | None

    def named(self, counts: int | Counts) -> Counts:
        """Return counts by the name of what is counted."""
        return {self.counted: counts} if isinstance(counts, int) else counts


def _layers(job: Job) -> int:
    return job.encoder.used_layers


def _cls_layers(job: Job) -> int:
    return int(job.encoder.last_is_cls)


def _embeddings(model: ir.Model, job: Job) -> int:
    return embeddings.embeddings(model, job.encoder.token_types, job.encoder.padding_id)


def _pool(model: ir.Model, job: Job) -> int:
    if job.encoder.feature_layers:
        return features.features(model, job.encoder)
    return pool.pool(model, job.encoder.pooling, job.encoder.normalize, job.dense)


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


def _project(model: ir.Model, job: Job) -> int:
    parts = job.encoder.feature_parts if isinstance(job.head, LinearHead) else []
    return project.project(model, parts, merge.head_node(job.recipe.contract))


def _prune(model: ir.Model, job: Job) -> int:
    if not job.encoder.last_is_cls:
        return 0
    last = job.encoder.used_layers
    pooled = names.FEATURE.format(last, "cls") if job.encoder.feature_layers else names.POOLED
    return prune.prune(model, last, pooled)


def _stamp(model: ir.Model, job: Job, quantization: str, guarded: Guard | None = None) -> int:
    metadata = Metadata.of(job.recipe.name, job.encoder, job.head.info, quantization)
    return stamp.stamp(model, metadata._replace(guard=guarded))


def _guard(model: ir.Model, job: Job) -> int:
    exact, plan, info = exact_of(job), plan_of(job), job.head.info
    if plan.order:
        # As in the int8 half, so that both read one table of words.
        channel_order.reorder_hidden_state(exact.graph, np.array(plan.order, np.int64))
    token_dimension.name(exact, job.encoder.hidden)
    answers.cut(exact, info)
    return guard.guard(model, exact, info, plan.margins)


def _stamp_guarded(model: ir.Model, job: Job) -> int:
    plan, budget = plan_of(job), job.recipe.variants["guarded"].max_flip_rate
    stated = {
        "margins": dict(zip(job.head.info.labels, plan.margins, strict=True)),
        "max_flip_rate": budget,
        "bound": plan.record.get(GUARD_STATED, ""),
    }
    return _stamp(model, job, plan.description, stated)


_TOKENS = Step(
    "tokens", "attentions", lambda m, job: token_dimension.name(m, job.encoder.hidden), of_all_tokens
)
# What makes an int8 answer the same to the bit in any batch.
_ANY_BATCH = (
    Step("sums", "sums of tokens", lambda m, _: sums.sums(m), sums_of_tokens),
    Step("rows", "attentions", lambda m, _: single_rows.single_rows(m), _cls_layers),
)
# All graphs but a guarded one state no guard.
_PROPERTIES = len(Metadata._fields) - 1
MERGE = (
    Step("fuse", "", lambda m, _: fuse.fuse(m), each_layer),
    Step("mask", "attention masks", lambda m, _: mask.mask(m), _layers),
    Step("embeddings", "embedding sums", _embeddings, lambda _: 1),
    Step("pool", "poolings", _pool, lambda job: len(job.encoder.feature_parts) or 1),
    Step("merge", "", _merge, lambda job: {f"{job.head.info.kind} heads": 1}),
)
PACK = (
    Step("pack", "attentions", lambda m, _: pack.pack(m), _layers),
    Step("project", "means", _project, means),
    Step("unfuse", "linear layers", lambda m, _: unfuse.unfuse(m), lambda job: 3 * job.encoder.used_layers),
    Step("prune", "layers", _prune, _cls_layers),
)
SIMPLIFY = (Step("simplify", "nodes removed", lambda m, _: simplify.simplify(m), None),)
FP32 = (
    _TOKENS,
    Step("standard", "Gelu", lambda m, _: standard.standard(m), _layers),
    Step("stamp", "properties", lambda m, job: _stamp(m, job, "none"), lambda _: _PROPERTIES),
)
INT8 = (
    Step("quantize", "products in int8", lambda m, job: quantize.quantize(m, plan_of(job)), int8_products),
    *_ANY_BATCH,
    _TOKENS,
    Step("unpadded", "branches", lambda m, _: branch.unpadded(m), lambda _: 1),
    Step(
        "stamp", "properties", lambda m, job: _stamp(m, job, plan_of(job).description), lambda _: _PROPERTIES
    ),
)
GUARDED = (
    Step(
        "quantize",
        "products in int8",
        lambda m, job: quantize.with_float_words(m, plan_of(job)),
        int8_products,
    ),
    *_ANY_BATCH,
    _TOKENS,
    Step("cut", "ends", lambda m, job: answers.cut(m, job.head.info), lambda _: 1),
    Step("unpadded", "branches", lambda m, _: branch.unpadded(m), lambda _: 1),
    Step("guard", "branches", _guard, lambda _: 1),
    Step("finish", "ends", lambda m, job: answers.finish(m, job.head.info), lambda _: 1),
    Step("stamp", "properties", _stamp_guarded, lambda _: _PROPERTIES + 1),
)
# From a finished graph.
TEXT = (Step("text", "tokenizers", lambda m, job: build.text(m, front_of(job)), lambda _: 1),)
STAGES = {
    "merge": MERGE,
    "pack": PACK,
    "simplify": SIMPLIFY,
    "fp32": FP32,
    "int8": INT8,
    "guarded": GUARDED,
    "text": TEXT,
}


def run(model: ir.Model, job: Job, stage: str) -> Iterator[tuple[str, Counts]]:
    """Run a stage's steps on a model, in place; yield each step's name and counts.

    Raises:
        GraphError: a step fails, applies another number of times than it must, or leaves a graph
            that is not legal, or weights that can saturate. The message begins with the step's name.
    """
    for step in STAGES[stage]:
        try:
            counts = step.named(step.rewrite(model, job))
            legal.check(model)
            pair_safe.check(model)
        except GraphError as error:
            raise GraphError(f"{stage}: {step.name}: {error}") from error
        if step.expected is not None:
            legal.check_count(step.name, counts, step.named(step.expected(job)))
        yield step.name, counts
