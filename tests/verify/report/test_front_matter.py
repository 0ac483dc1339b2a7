"""The head of the model card is what the hub's own library reads back, with the metrics as measured."""

from __future__ import annotations

import json

import pytest
from huggingface_hub import ModelCard

from core import recipe as recipes
from core.contract import MULTI_LABEL
from core.errors import RecipeError
from tests.support.factories import write_recipe
from tests.support.places import DEFAULT
from verify.report import front_matter

VARIANTS = "[variants.fp32]\nmax_probability_error = 1e-5\n"
CARD = '[card]\nlicense = "mit"\ndatasets = ["a/b"]\nlanguage = ["en", "de"]\ntags = ["x"]\n'


def averages(start):
    return {name: start + index / 10 for index, name in enumerate(("f1", "precision", "recall"))}


EVALUATIONS = [
    {"variant": "fp32", "split": "test", "macro": averages(0.1), "weighted": averages(0.4)},
    {"variant": "int8", "split": "test", "macro": averages(0.2), "weighted": averages(0.5)},
]


def read(recipe, evaluations=()):
    data = {"name": "Own, data", "hub_id": None, "hub_config": None}
    described = {
        "evaluations": list(evaluations),
        "data": data,
        "encoder": {"source": recipe.encoder.source},
        "head": {"problem_type": MULTI_LABEL, "source": recipe.head.source},
    }
    text = f"---\n{front_matter.render(recipe, described)}---\n# a card\n"
    return ModelCard(text, ignore_metadata_errors=False).data


def test_the_default_says_where_it_comes_from():
    data = read(recipes.load(DEFAULT))
    assert data.pipeline_tag == "text-classification"
    assert data.library_name == "transformers.js"
    assert data.license == "apache-2.0"
    assert data.base_model == "sentence-transformers/all-MiniLM-L6-v2"
    assert data.datasets == ["google-research-datasets/go_emotions"]
    assert data.language == ["en"]
    assert data.eval_results is None
    assert data.metrics is None


def test_metrics_are_read_back_as_measured():
    data = read(recipes.load(DEFAULT), EVALUATIONS)
    assert data.model_name == "minilm-l6-go-emotions"
    assert data.metrics == ["f1", "precision", "recall"]
    found = {result.metric_name: result for result in data.eval_results}
    assert len(found) == len(data.eval_results) == 12
    for evaluation in EVALUATIONS:
        for average in ("macro", "weighted"):
            for metric, value in evaluation[average].items():
                result = found[f"{average} {metric}, {evaluation['variant']}"]
                assert result.metric_value == pytest.approx(value)
                assert (result.metric_type, result.metric_args) == (metric, {"average": average})
                assert (result.dataset_name, result.dataset_type) == ("Own, data", "own-data")
                assert (result.dataset_split, result.task_type) == ("test", "text-classification")


def test_the_artifacts_card(artifact):
    manifest = json.loads((artifact / "manifest.json").read_text("utf-8"))
    data = ModelCard.load(artifact / "README.md", ignore_metadata_errors=False).data
    assert {"pipeline_tag", "library_name", "datasets", "base_model", "license"} <= set(data.to_dict())
    measured = [
        round(evaluation[average][metric], 4)
        for evaluation in manifest["evaluations"]
        for average in ("macro", "weighted")
        for metric in ("f1", "precision", "recall")
    ]
    assert [result.metric_value for result in data.eval_results or []] == measured


def test_a_recipe_says_nothing_that_it_does_not_know(tmp_path):
    data = read(recipes.load(write_recipe(tmp_path / "r", ["joy"], "path:e", "path:h", variants=VARIANTS)))
    assert not {"license", "base_model", "datasets", "language", "model-index"} & set(data.to_dict())
    assert data.tags == ["onnx", "multi-label-classification"]


def test_an_encoder_of_the_hub_is_the_base_model(tmp_path):
    folder = write_recipe(tmp_path / "r", ["joy"], "hub:some/encoder@v1", "path:h", variants=VARIANTS + CARD)
    data = read(recipes.load(folder))
    assert (data.base_model, data.license, data.language) == ("some/encoder", "mit", ["en", "de"])
    assert data.tags == ["onnx", "multi-label-classification", "x"]


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ('licence = "mit"', "card.licence: unknown key"),
        ('license = "a b"', "card.license"),
        ('base_model = "https://x/y"', "card.base_model"),
    ],
)
def test_a_card_that_is_wrong_names_the_field(tmp_path, line, place):
    card = f"{VARIANTS}[card]\n{line}\n"
    folder = write_recipe(tmp_path / "r", ["joy"], "path:e", "path:h", variants=card)
    with pytest.raises(RecipeError, match=place):
        recipes.load(folder)
