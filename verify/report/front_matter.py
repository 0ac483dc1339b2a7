"""Write the YAML at the head of a model card, from which the hub lists and finds a model."""

from __future__ import annotations

import re
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from core.contract import PROBLEM_NAMES
from core.recipe import Recipe
from verify.report import names

_PIPELINE = "text-classification"
_METRICS = ("f1", "precision", "recall")
_AVERAGES = ("macro", "weighted")


def _base_model(recipe: Recipe) -> str | None:
    kind, _, reference = recipe.encoder.source.partition(":")
    return recipe.card.base_model or (reference.partition("@")[0] if kind == "hub" else None)


def _dataset(data: dict[str, Any]) -> dict[str, Any]:
    """Return how a model index names the data: by the hub's id, or else by a word."""
    word = re.sub(r"\W+", "-", data["name"].lower()).strip("-") or "data"
    named = {"dataset_type": data["hub_id"] or word, "dataset_name": data["name"]}
    return named | ({"dataset_config": data["hub_config"]} if data["hub_config"] else {})


def _metrics(evaluations: list[dict[str, Any]]) -> list[str]:
    accuracy = ["accuracy"] if any("accuracy" in found for found in evaluations) else []
    return [*accuracy, *_METRICS] if evaluations else []


def _results(evaluation: dict[str, Any], problem: str, data: dict[str, Any]) -> list[EvalResult]:
    averaged = [
        (metric, f"{average} {metric}", evaluation[average][metric], {"average": average})
        for average in _AVERAGES
        for metric in _METRICS
    ]
    plain = [("accuracy", "accuracy", evaluation["accuracy"], None)] if "accuracy" in evaluation else []
    return [
        EvalResult(
            task_type=_PIPELINE,
            task_name=f"{problem.capitalize()} text classification",
            dataset_split=evaluation["split"],
            metric_type=metric,
            metric_name=f"{name}, {evaluation['variant']}",
            metric_value=round(value, 4),
            metric_args=arguments,
            **_dataset(data),
        )
        for metric, name, value, arguments in [*plain, *averaged]
    ]


def render(recipe: Recipe, described: dict[str, Any]) -> str:
    """Return the YAML between a card's first two lines of dashes, with a line break at its end.

    `described` is what the manifest says; where it has no evaluations, there is no `model-index`.
    """
    problem, data = PROBLEM_NAMES[described["head"]["problem_type"]], described["data"]
    evaluations = described["evaluations"] if data else []
    results = [result for evaluation in evaluations for result in _results(evaluation, problem, data)]
    card = recipe.card
    matter = ModelCardData(
        language=card.language or None,
        license=card.license,
        # The hub's word for what runs this layout; it knows none for onnxruntime.
        library_name="transformers.js" if recipe.contract == "stacked" else "onnx",
        pipeline_tag=_PIPELINE,
        base_model=_base_model(recipe) if names.is_own(recipe, described, "encoder") else None,
        datasets=card.datasets or None,
        metrics=_metrics(evaluations) or None,
        tags=["onnx", f"{problem}-classification", *card.tags],
        model_name=recipe.name if results else None,
        eval_results=results or None,
    )
    return matter.to_yaml() + "\n"
