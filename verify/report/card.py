"""Write the model card of an artifact: the YAML from which the hub lists and finds it, then its Markdown."""

from __future__ import annotations

from typing import Any

from huggingface_hub import EvalResult, ModelCardData
from jinja2 import Environment, PackageLoader, StrictUndefined

from core.contract import PROBLEM_NAMES, SINGLE_LABEL, ProblemType
from core.recipe import Recipe

_PIPELINE = "text-classification"
# What `make evaluate` measures on.
_DATASET: dict[str, Any] = {
    "dataset_type": "google-research-datasets/go_emotions",
    "dataset_name": "GoEmotions",
    "dataset_config": "simplified",
}
_METRICS = ("f1", "precision", "recall")
_AVERAGES = ("macro", "weighted")


def _base_model(recipe: Recipe) -> str | None:
    kind, _, reference = recipe.encoder.source.partition(":")
    return recipe.card.base_model or (reference.partition("@")[0] if kind == "hub" else None)


def _results(evaluation: dict[str, Any], problem: str) -> list[EvalResult]:
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
            **_DATASET,
        )
        for metric, name, value, arguments in [*plain, *averaged]
    ]


def front_matter(recipe: Recipe, evaluations: list[dict[str, Any]], problem_type: ProblemType) -> str:
    """Return the YAML between a card's first two lines of dashes, with a line break at its end.

    `evaluations` are those of the manifest; where there are none, there is no `model-index`.
    """
    problem = PROBLEM_NAMES[problem_type]
    results = [result for evaluation in evaluations for result in _results(evaluation, problem)]
    card = recipe.card
    data = ModelCardData(
        language=card.language or None,
        license=card.license,
        library_name="onnx",
        pipeline_tag=_PIPELINE,
        base_model=_base_model(recipe),
        datasets=card.datasets or None,
        tags=["onnx", f"{problem}-classification", *card.tags],
        model_name=recipe.name if results else None,
        eval_results=results or None,
    )
    return data.to_yaml() + "\n"


def render(recipe: Recipe, described: dict[str, Any], parity_table: str) -> str:
    """Return the model card, given what the manifest says and its parity as a Markdown table."""
    environment = Environment(
        loader=PackageLoader("verify.report", "templates"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    return environment.get_template("card.md.j2").render(
        described,
        recipe=recipe,
        front_matter=front_matter(recipe, described["evaluations"], described["head"]["problem_type"]),
        single_label=described["head"]["problem_type"] == SINGLE_LABEL,
        parity_table=parity_table,
    )
