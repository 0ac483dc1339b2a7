"""Write the model card of an artifact: the YAML from which the hub lists and finds it, then its Markdown."""

from __future__ import annotations

from typing import Any

from huggingface_hub import EvalResult, ModelCardData
from jinja2 import Environment, PackageLoader, StrictUndefined

from core.recipe import Recipe

_PIPELINE = "text-classification"
_TAGS = ("onnx", "multi-label-classification")
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


def _results(evaluation: dict[str, Any]) -> list[EvalResult]:
    return [
        EvalResult(
            task_type=_PIPELINE,
            task_name="Multi-label text classification",
            dataset_split=evaluation["split"],
            metric_type=metric,
            metric_name=f"{average} {metric}, {evaluation['variant']}",
            metric_value=round(evaluation[average][metric], 4),
            metric_args={"average": average},
            **_DATASET,
        )
        for average in _AVERAGES
        for metric in _METRICS
    ]


def front_matter(recipe: Recipe, evaluations: list[dict[str, Any]]) -> str:
    """Return the YAML between a card's first two lines of dashes, with a line break at its end.

    `evaluations` are those of the manifest; where there are none, there is no `model-index`.
    """
    results = [result for evaluation in evaluations for result in _results(evaluation)]
    card = recipe.card
    data = ModelCardData(
        language=card.language or None,
        license=card.license,
        library_name="onnx",
        pipeline_tag=_PIPELINE,
        base_model=_base_model(recipe),
        datasets=card.datasets or None,
        tags=[*_TAGS, *card.tags],
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
        front_matter=front_matter(recipe, described["evaluations"]),
        parity_table=parity_table,
    )
