"""Thresholds that don't fit: every error names the file and the label."""

from __future__ import annotations

import json
import re

import pytest

from core.errors import HeadError
from export.head import published_head

LABELS = ["joy", "fear", "neutral"]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "thresholds.json"


def refused(path, message):
    with pytest.raises(HeadError, match=f"^{re.escape(str(path))}: .*{message}"):
        published_head.read_thresholds(path, LABELS)


def test_thresholds_come_in_the_recipes_order(path):
    path.write_text(json.dumps({"neutral": 0.35, "joy": 0.05, "fear": 1e-3}))
    found = published_head.read_thresholds(path, LABELS)
    assert list(found.items()) == [("joy", 0.05), ("fear", 1e-3), ("neutral", 0.35)]


def test_there_are_none(path):
    refused(path, "cannot be read: No such file")


@pytest.mark.parametrize("value", ["1.5", "1", "0", "0.0", "-0.1", '"0.5"', "true", "null", "[0.5]", "{}"])
def test_a_threshold_that_is_none(path, value):
    path.write_text(f'{{"joy": 0.5, "fear": {value}, "neutral": 0.5}}')
    refused(path, "threshold of 'fear': found .*, expected a number between 0 and 1")


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
