"""Write the model card of an artifact: the YAML from which the hub lists and finds it, then its Markdown."""

from __future__ import annotations

import json
import re
from typing import Any

from huggingface_hub import EvalResult, ModelCardData
from jinja2 import Environment, PackageLoader, StrictUndefined

from core.build.facts import weights_sha256
from core.contract import HEAD_FILES, PROBLEM_NAMES, SINGLE_LABEL
from core.recipe import Recipe
from verify.escape import code, inline

# Where the recipe has none.
_EXAMPLES = ["I love this!", "Why would anyone do that?"]
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


def front_matter(recipe: Recipe, described: dict[str, Any]) -> str:
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
        library_name="onnx",
        pipeline_tag=_PIPELINE,
        base_model=_base_model(recipe),
        datasets=card.datasets or None,
        tags=["onnx", f"{problem}-classification", *card.tags],
        model_name=recipe.name if results else None,
        eval_results=results or None,
    )
    return matter.to_yaml() + "\n"


def render(recipe: Recipe, described: dict[str, Any], parity_table: str) -> str:
    """Return the model card, given what the manifest says and its parity as a Markdown table."""
    environment = Environment(
        loader=PackageLoader("verify.report", "templates"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    head_sha256 = described["head"]["sha256"]
    environment.filters |= {"inline": inline, "code": code}
    return environment.get_template("card.md.j2").render(
        described,
        recipe=recipe,
        examples=json.dumps(recipe.card.examples[:2] or _EXAMPLES, ensure_ascii=False),
        front_matter=front_matter(recipe, described),
        single_label=described["head"]["problem_type"] == SINGLE_LABEL,
        parity_table=parity_table,
        encoder_sha256=weights_sha256(described["encoder"]["sha256"]),
        head_sha256=next(head_sha256[name] for name in HEAD_FILES if name in head_sha256),
    )
