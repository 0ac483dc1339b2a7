"""`thresholds` from end to end on a tiny build: what it writes, what it promises, what it refuses."""

from __future__ import annotations

import json
import tomllib

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from core import recipe as recipes
from export.head import thresholds
from export.sources.resolve import Source
from tests.support import builds
from tests.support.commands import assert_failed
from verify.quality import answers


def test_thresholds_are_written_in_label_order_and_compared(build, verify):
    code, said = verify("thresholds", "--method", "plain", "--candidates", "exact")
    assert code == 0, said.err
    chosen = json.loads((build.folder / "thresholds.json").read_text("utf-8"))
    assert list(chosen) == builds.LABELS
    for words in ("plain, grid", "plain, exact", "shrunk, exact", "held out", "int8 on test, macro-F1"):
        assert words in said.out
    options = ("--method", "plain", "--candidates", "exact")
    _, said = verify("thresholds", *options, "--out", build.folder / "2.json")
    assert said.err == ""  # nothing is run anew
    assert json.loads((build.folder / "2.json").read_text()) == chosen


def test_a_floor_holds_on_dev(build, verify):
    options = ("--candidates", "exact", "--variant", "fp32", "--min-precision", "joy=0.8")
    code, said = verify("thresholds", *options, "--min-recall", "anger=0.9")
    assert code == 0, said.err
    chosen = json.loads((build.folder / "thresholds.json").read_text("utf-8"))
    (fp32,) = answers.read(build, ["fp32"])
    dev = fp32.scored["dev"]
    rates = precision_recall_fscore_support(dev.truth, dev.decide(np.array(list(chosen.values()))))
    assert rates[0][0] >= 0.8
    assert rates[1][1] >= 0.9


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--min-precision", "joy"], ["--min-precision: found 'joy', expected LABEL=NUMBER"]),
        (["--min-recall", "joy=2"], ["--min-recall: found 'joy=2'"]),
        (["--min-recall", "joy=nan"], ["--min-recall: found 'joy=nan'"]),
        (["--min-recall", "envy=0.5"], ["found label 'envy', expected one of joy, anger, neutral"]),
        (["--min-recall", "joy=0.5", "--min-precision", "joy=0.5"], ["a second minimum for 'joy'"]),
        (
            ["--candidates", "grid", "--min-recall", "anger=1"],
            ["label 'anger': recall: found at most 0.8958, expected 1"],
        ),
        (["--beta", "0"], ["--beta: found 0.0, expected a number above 0"]),
        (["--beta", "nan"], ["--beta: found nan"]),
        (["--variant", "int4"], ["found no variant 'int4', expected one of fp32, int8"]),
    ],
)
def test_refusals_of_thresholds_write_nothing(build, verify, options, words):
    assert_failed(verify("thresholds", *options), *words)
    assert not (build.folder / "thresholds.json").exists()


def test_a_recipes_file_is_not_written_over_silently(build, verify):
    out = build.recipe_folder / "thresholds.json"
    out.write_text("mine")
    assert_failed(verify("thresholds", "--out", out), f"{out}: is there", "--replace")
    assert out.read_text() == "mine"
    assert_failed(verify("thresholds", "--out", build.recipe_folder), "found a folder")
    code, _ = verify("thresholds", "--out", out, "--replace")
    assert code == 0
    assert list(json.loads(out.read_text())) == builds.LABELS


def read_by_builds(build):
    """The thresholds that the export of the recipe would read."""
    recipe = recipes.load(build.recipe_folder)
    head = Source("head", build.recipe_folder / recipe.head.source.removeprefix("path:"))
    return thresholds.read(head, recipe.thresholds, build.recipe_folder, builds.LABELS).values


@pytest.mark.parametrize("source", ["path:.", "path:head", "package:some_head/model", "hub:me/head"])
def test_applied_thresholds_are_those_that_builds_read(build, verify, source):
    (build.recipe_folder / "head").mkdir()
    file = build.recipe_folder / "recipe.toml"
    content = tomllib.loads(file.read_text("utf-8"))
    file.write_text(file.read_text("utf-8").replace(content["head"]["source"], source), "utf-8")
    for options in ([], ["--min-recall", "joy=0.9"]):
        assert verify("thresholds", *options)[0] == 0
        chosen = json.loads((build.folder / "thresholds.json").read_text("utf-8"))
        (build.folder / "thresholds.json").unlink()
        code, said = verify("thresholds", "--apply", *options)
        assert code == 0, said.err
        assert said.out.endswith("next       make artifact\n")
        found = read_by_builds(build)
        assert (found, list(found)) == (chosen, builds.LABELS)
    assert not (build.folder / "thresholds.json").exists()


def test_thresholds_that_cannot_be_applied(build, verify, monkeypatch):
    file = build.recipe_folder / "recipe.toml"
    text, before = file.read_text("utf-8"), sorted(build.recipe_folder.rglob("*"))
    head = tomllib.loads(text)["head"]["source"]
    file.write_text(
        text.replace(f'"{head}"', '"path:."\nsha256 = { "thresholds.json" = "' + "0" * 64 + '" }')
    )
    assert_failed(verify("thresholds", "--apply"), "head.sha256 pins thresholds.json")
    file.write_text(text.replace(f'"{head}"', '"hub:me/head"') + "\n[thresholds]\ndefault = 0.5\n")
    assert_failed(verify("thresholds", "--apply"), 'expected source = "thresholds.json"')
    file.write_text(text)
    monkeypatch.setenv("HEAD", "path:other")
    assert_failed(verify("thresholds", "--apply"), "found HEAD on the make line")
    assert sorted(build.recipe_folder.rglob("*")) == before


def test_a_damaged_file_of_probabilities_is_named(build, verify):
    verify("evaluate")
    path = build.folder / "evaluation.npz"
    path.write_bytes(path.read_bytes()[:200])
    assert_failed(verify("thresholds"), "evaluation.npz: not what `make evaluate` writes")
