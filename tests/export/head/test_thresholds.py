"""Thresholds that don't fit: every error names the file and the label."""

from __future__ import annotations

import hashlib
import json
import re

import pytest

from core.contract import MULTI_LABEL, SINGLE_LABEL
from core.errors import HeadError, SourceError
from core.recipe import HeadTable, ThresholdsTable
from export.head import published_head, thresholds
from tests.support.factories import write_head
from tests.support.sources import source

LABELS = ["joy", "fear", "neutral"]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "thresholds.json"


def read(path, problem_type=MULTI_LABEL, **stated):
    found = thresholds.read(source(path.parent), ThresholdsTable(**stated), path.parent, LABELS)
    return found.of(LABELS, problem_type)


def refused(path, message):
    with pytest.raises(HeadError, match=f"^{re.escape(str(path))}: .*{message}"):
        read(path)


def test_thresholds_come_in_the_recipes_order(path):
    path.write_text(json.dumps({"neutral": 0.35, "joy": 0.05, "fear": 1e-3}))
    found = read(path)
    assert list(found.items()) == [("joy", 0.05), ("fear", 1e-3), ("neutral", 0.35)]


def test_there_are_none(path):
    refused(path, r"label 'joy' of the recipe has no threshold: .*; state .*: \[thresholds\] default = 0.5")
    assert read(path, default=0.5) == dict.fromkeys(LABELS, 0.5)
    path.mkdir()
    refused(path, "not a regular file")


@pytest.mark.parametrize("value", ["1.5", "1", "0", "0.0", "-0.1", '"0.5"', "true", "null", "[0.5]", "{}"])
def test_a_threshold_that_is_none(path, value):
    path.write_text(f'{{"joy": 0.5, "fear": {value}, "neutral": 0.5}}')
    refused(path, "threshold of 'fear': found .*, expected a number between 0 and 1, both excluded")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"joy": 0.5, "fear": NaN, "neutral": 0.5}', "NaN is not a number of JSON"),
        ('{"joy": 0.5, "fear": -Infinity, "neutral": 0.5}', "-Infinity is not a number of JSON"),
        ('{"joy": 0.5, "fear": 1e999, "neutral": 0.5}', "1e999 is beyond what a number can be"),
        ('{"joy": 0.5, "fear": 0.5}', "label 'neutral' of the recipe is missing"),
        ("{}", "label 'joy' of the recipe is missing"),
        ('{"joy": 0.5, "fear": 0.5, "neutral": 0.5, "envy": 0.5}', "label 'envy' is unknown"),
        ('{"joy": 0.5, "fear": 0.5, "neutral": 0.5, "fear": 0.4}', "duplicate label 'fear'"),
        ("[0.5, 0.5, 0.5]", "expected one object"),
        ("0.5", "expected one object"),
        ('{"joy": 0.5', "cannot be read as JSON"),
        ("\udcff", "cannot be read as JSON"),
    ],
)
def test_thresholds_that_do_not_fit(path, content, message):
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    refused(path, message)


def test_a_label_without_a_threshold_takes_the_default_that_the_recipe_states(path):
    path.write_text('{"neutral": 0.3}')
    refused(
        path, r"label 'joy' of the recipe is missing; state a default in the recipe: \[thresholds\] default"
    )
    assert list(read(path, default=0.4).items()) == [("joy", 0.4), ("fear", 0.4), ("neutral", 0.3)]
    with pytest.raises(
        HeadError, match=r"^recipe\.toml: thresholds\.default: threshold of 'joy': found 0\.0"
    ):
        read(path, default=0.0)


def test_a_single_label_head_needs_none(path):
    assert read(path, SINGLE_LABEL) == dict.fromkeys(LABELS, 0.0)
    path.write_text('{"neutral": 0.3, "fear": 0}')
    assert read(path, SINGLE_LABEL) == {"joy": 0.0, "fear": 0.0, "neutral": 0.3}
    assert read(path, SINGLE_LABEL, default=0.2) == {"joy": 0.2, "fear": 0.0, "neutral": 0.3}


def test_a_file_elsewhere_that_the_recipe_names(tmp_path):
    write_head(tmp_path / "head", LABELS, 8)
    recipe = tmp_path / "recipe"
    recipe.mkdir()
    (recipe / "limits.json").write_text('{"neutral": 0.9, "joy": 0.8}')
    head, table = source(tmp_path / "head"), ThresholdsTable(source="limits.json", default=0.7)
    found = published_head.read(head, HeadTable(source="path:x"), LABELS, 8, table, recipe).info
    assert found.thresholds == {"joy": 0.8, "fear": 0.7, "neutral": 0.9}
    content = (recipe / "limits.json").read_bytes()
    assert found.sha256["thresholds.json"] == hashlib.sha256(content).hexdigest()
    (recipe / "limits.json").unlink()
    with pytest.raises(SourceError, match=r"limits\.json: no such file, which thresholds\.source names"):
        published_head.read(head, HeadTable(source="path:x"), LABELS, 8, table, recipe)
