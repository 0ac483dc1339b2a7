"""Make a guarded graph of one margin for all labels, by which a wished share of texts is asked twice.

Margins that are chosen for random weights ask nearly every text twice: this measures what a share costs.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from core import decisions
from core import recipe as recipes
from core.artifact import tokens
from core.artifact.graph import Graph
from core.build import inputs
from core.build import plan as plan_file
from core.build.facts import HeadInfo
from core.contract import MULTI_LABEL
from core.disk.files import replacing
from core.errors import BenchmarkError
from core.recipe import VariantTable
from graphs import pipeline
from graphs.edit.files import load
from graphs.job import Job, open_job, plan_of
from graphs.search import margin

_BATCH = 32


def margin_of(probabilities: NDArray[np.float32], info: HeadInfo, share: float) -> float:
    """Return within which margin of log-odds a share of the texts, probabilities `[n, l]`, has some label."""
    thresholds = decisions.threshold_vector(info.thresholds, info.labels)
    given = margin.distances(probabilities, probabilities, thresholds, info.problem_type)
    return float(np.quantile(given.distance.min(axis=1), share))


def _graph(job: Job, simplified: ir.Model, width: float, target: Path) -> None:
    plan = plan_of(job)
    margins = (width,) * len(job.head.info.labels)
    model = simplified.clone()
    asking = replace(job, plan=replace(plan, margins=margins, record={}), exact=simplified.clone())
    for _ in pipeline.run(model, asking, "guarded"):
        pass
    with replacing(target) as temporary:
        ir.save(model, temporary)


def write(recipe: Path, build: Path, share: float, texts: int, target: Path) -> float:
    """Write the graph; return its margin. The share is of the first `texts` test texts.

    Raises:
        BenchmarkError: the share is not between 0 and 1, or the head not multi-label with stacked outputs.
        RecipeError, DatasetError: the recipe has no data, or they cannot be had.
    """
    if not 0 < share < 1:
        raise BenchmarkError(f"--share: found {share}, expected a number between 0 and 1")
    job = open_job(recipe, build)
    info, given = job.head.info, job.recipe
    if info.problem_type != MULTI_LABEL or given.contract != "stacked":
        raise BenchmarkError(
            f"{recipe}: found {info.problem_type}, {given.contract}; expected multi-label, stacked"
        )
    plan = plan_file.read(inputs.replayed_plan(recipe) or build / plan_file.PLAN_FILE)
    variants = {**given.variants, "guarded": VariantTable(max_flip_rate=0.0)}
    job = replace(job, plan=plan, recipe=given.model_copy(update={"variants": variants}))
    simplified = load(build / "simplified.onnx")
    data = recipes.required_data(given, recipe, build)
    ids = tokens.encode(build / "assets" / "tokenizer.json", data.read("test").texts[:texts])
    # Of a margin of 0 nothing is near: what is answered is the int8 half's.
    _graph(job, simplified, 0.0, target)
    width = margin_of(Graph(target).run_sorted(ids, _BATCH).probabilities, info, share)
    _graph(job, simplified, width, target)
    return width
