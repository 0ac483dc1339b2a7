"""What the steps of one artifact share, and how often each rewrite must apply to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx_ir as ir

from core import recipe
from core.build import dense
from core.build.dense import DenseLayer
from core.build.facts import EncoderInfo
from core.build.plan import QuantizationPlan
from core.contract import QuantizationForm
from core.errors import GraphError
from core.recipe import Recipe
from graphs.head import files, fold
from graphs.head.files import LinearHead, SubgraphHead

Counts = dict[str, int]


@dataclass(frozen=True)
class Job:
    """What the steps of one artifact share."""

    recipe: Recipe
    encoder: EncoderInfo
    head: LinearHead | SubgraphHead
    plan: QuantizationPlan | None = None
    # The tokenizer as a graph, for `text`.
    front: ir.Model | None = None
    # The linear layers between pooling and normalization that are not in the head.
    dense: Sequence[DenseLayer] = ()
    # The simplified graph in float32, for `guarded`; it is not changed.
    exact: ir.Model | None = None

    @property
    def cheapest_form(self) -> QuantizationForm:
        """Where the search for a quantization begins, as the recipe says."""
        variant = self.recipe.variants.get("int8")
        return variant.cheapest_form if variant else "bare"


def open_job(recipe_folder: Path, build: Path) -> Job:
    """Read what `export` wrote of a recipe to a build's folder.

    Raises:
        RecipeError: the recipe is wrong.
        ArtifactError: a file of the build is missing or damaged.
        GraphError: the head cannot be of the recipe's contract.
    """
    loaded, info, head = (
        recipe.load(recipe_folder),
        EncoderInfo.read(build / "encoder.json"),
        files.read(build),
    )
    head.info.check_contract(loaded.contract)
    layers = dense.read(build, info)
    # Nothing but the head may read what a folded layer gives.
    if isinstance(head, files.LinearHead) and not info.normalize and not loaded.sentence_embedding:
        layers, head = fold.fold(layers, head)
    return Job(loaded, info, head, dense=layers)


def plan_of(job: Job) -> QuantizationPlan:
    """Return the job's quantization plan.

    Raises:
        GraphError: there is none, or it is of another encoder or head.
    """
    if job.plan is None:
        raise GraphError("no quantization plan; `make quantize` finds one")
    for name, found, expected in (
        ("encoder_sha256", job.plan.encoder_sha256, job.encoder.weights_sha256),
        ("head_sha256", job.plan.head_sha256, job.head.info.model_sha256),
    ):
        if found != expected:
            raise GraphError(f"the quantization plan has {name} {found}, expected {expected}; search again")
    return job.plan


def front_of(job: Job) -> ir.Model:
    """Return the job's tokenizer as a graph.

    Raises:
        GraphError: there is none.
    """
    if job.front is None:
        raise GraphError("no graph of the tokenizer; `make quantize` makes one")
    return job.front


def exact_of(job: Job) -> ir.Model:
    """Return a copy of the job's graph in float32.

    Raises:
        GraphError: there is none.
    """
    if job.exact is None:
        raise GraphError("no graph in float32; `make quantize` makes one")
    return job.exact.clone()


def of_all_tokens(job: Job) -> int:
    """Return how many attentions answer for all tokens: the last does not where only the first is read."""
    return job.encoder.used_layers - int(job.encoder.last_is_cls)


def each_layer(job: Job) -> Counts:
    """Return how often each fusion must apply."""
    layers = job.encoder.used_layers
    return {"Attention": layers, "SkipLayerNormalization": 2 * layers, "BiasGelu": layers}


def means(job: Job) -> int:
    """Return how many means a linear head reads token by token."""
    linear = isinstance(job.head, LinearHead)
    return linear * sum(pooling == "mean" for _, pooling in job.encoder.feature_parts)


def sums_of_tokens(job: Job) -> int:
    """Return how many sums over tokens the graph has: a linear head reads all its means by one."""
    parts = job.encoder.feature_parts
    if not parts:
        return int(job.encoder.pooling == "mean")
    count = sum(pooling == "mean" for _, pooling in parts)
    return min(count, 1) if isinstance(job.head, LinearHead) else count


def int8_products(job: Job) -> int:
    """Return how many int8 products the plan makes."""
    # A linear layer each; one more for a second term, and for CLS rows.
    count = 0
    for name, activation in plan_of(job).activations.items():
        cls_rows = job.encoder.last_is_cls and name == f"layer_{job.encoder.used_layers - 1}_qkv"
        terms = {"int8": 1, "int8x2": 2, "float": 0}[activation.mode]
        count += terms * (2 if cls_rows else 1)
    return count
