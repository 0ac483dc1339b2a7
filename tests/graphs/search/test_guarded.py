"""A search finds the int8 form and the margins of `guarded`; builds replay what it found."""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from core.build import plan as plan_file
from core.contract import MULTI_LABEL
from core.errors import GraphError
from graphs.__main__ import main
from graphs.search import frontier, margin, schemes, search
from graphs.search.evaluator import Evaluation
from graphs.search.guarded import FLOAT_COST, Guarded
from graphs.search.schemes import FULL
from tests.support.building import LABELS
from tests.support.commands import assert_failed
from tests.support.quantization import packed_with_head, plan_of


class Erring:
    """Judges a bare graph to err by so much, and any other by 0.02."""

    ids = (np.zeros(3, np.int32),) * 10**6

    def __init__(self, bare):
        self.bare, self.thresholds = bare, np.array([0.3, 0.5])

    def error(self, model):
        # Gamma and beta follow each normalization of all other forms.
        names = [node.op_type for node in model.graph]
        plain = names.count("InstanceNormalization") > names.count("BatchNormalization")
        return self.bare if plain else 0.02

    def evaluate(self, model, count=None):
        return Evaluation(0.01, self.error(model))

    def distances(self, model):
        random = np.random.default_rng(0)
        exact = random.normal(0, 1, (1000, 2))
        half = exact + random.normal(0, self.error(model), exact.shape)
        return margin.distances(
            1 / (1 + np.exp(-half)), 1 / (1 + np.exp(-exact)), self.thresholds, MULTI_LABEL
        )

    def speeds(self, models):
        return {name: 50.0 if name == "float32" else 100.0 for name in models}


def found(mean, bare, budget=0.01):
    evaluator = Erring(bare)
    plans = {scheme: plan_of(mean, scheme=scheme) for scheme in schemes.cheaper("bare")[1:3]}
    guarded = Guarded(evaluator, evaluator, budget)
    console = Console(file=io.StringIO())
    simplified, base = packed_with_head(mean), plan_of(mean, scheme=FULL)
    return guarded, search.search(
        simplified, base, evaluator, evaluator, 0.05, console, plans, guarded=guarded
    )


@pytest.mark.parametrize(("bare", "half"), [(0.02, 0), (0.2, 1)], ids=["no worse", "worse"])
def test_a_form_that_is_asked_less_often_is_the_better_half(mean, bare, half, tmp_path):
    guarded, (plan, plans, points) = found(mean, bare)
    assert plan is plans[points[0].name]
    # The bare form, another that costs more, and the full one: all were seen.
    assert [point.guard is not None for point in points[:3]] == [True] * 3
    best = frontier.fastest(points)
    assert best is points[half]
    guard = best.guard
    assert guard.cost == pytest.approx(best.cost + guard.asked_share * FLOAT_COST)
    assert guard.texts_per_second == pytest.approx(1 / (1 / 100 + guard.asked_share / 50))
    chosen = guarded.chosen(points, plans, "1000 texts of dev")
    assert chosen.activations == plans[best.name].activations
    assert len(chosen.margins) == 2
    assert chosen.record["guarded"]["half"] == best.name
    assert chosen.record["guard"].startswith("of 5000 texts at most 50 decided otherwise")
    frontier.write(tmp_path, points, 0.05)
    table = (tmp_path / "frontier.md").read_text("utf-8").splitlines()
    assert table[0].endswith("| margins | asked twice | flips at most | cost | texts/s |")
    assert len({line.count("|") for line in table}) == 1
    assert [" **guarded**" in line for line in table[2:5]] == [place == half for place in range(3)]
    stated = json.loads((tmp_path / "frontier.json").read_text("utf-8"))[half]["guard"]
    assert stated["bound"] == guard.bound


def test_flips_on_the_reference_are_an_error(mean):
    guarded, (_, plans, points) = found(mean, 0.02)
    outside = [replace(point, guard=replace(point.guard, inside=False)) for point in points]
    with pytest.raises(GraphError, match=r"variants\.guarded: found no margins within 0\.01 flips"):
        guarded.chosen(outside, plans, "texts")


@pytest.fixture
def tiny_guarded(tiny_build, tmp_path):
    """The tiny recipe with a guarded variant, and a build's folder to search in."""
    recipe, build = tmp_path / "tiny", tmp_path / "build"
    shutil.copytree(tiny_build.variables["RECIPE"], recipe)
    shutil.copytree(tiny_build.folder / "build", build)
    text = (recipe / "recipe.toml").read_text("utf-8")
    (recipe / "recipe.toml").write_text(f"{text}\n[variants.guarded]\nmax_flip_rate = 0.05\n", "utf-8")
    return recipe, build


def test_a_search_leaves_margins_in_the_recipe_and_a_new_budget_others(tiny_guarded, capsys):
    recipe, build = tiny_guarded
    stale = recipe / plan_file.GUARDED_FILE
    stale.write_text("{}", "utf-8")
    assert main(["search", str(recipe), str(build)]) == 0
    said = capsys.readouterr().out
    assert "asked twice" in said
    own = stale.is_file()
    path = stale if own else recipe / plan_file.PLAN_FILE
    assert path.read_bytes() == (build / path.name).read_bytes()
    searched = plan_file.read(path)
    assert len(searched.margins) == len(LABELS)
    assert searched.record["guarded"]["max_flip_rate"] == 0.05
    assert bool(plan_file.read(recipe / plan_file.PLAN_FILE).margins) != own

    text = (recipe / "recipe.toml").read_text("utf-8")
    (recipe / "recipe.toml").write_text(text.replace("= 0.05\n", "= 0.0005\n"), "utf-8")
    assert main(["margins", str(recipe), str(build)]) == 0
    assert "of 5000 texts at most 2 decided otherwise than in float32" in capsys.readouterr().out
    narrower = plan_file.read(path)
    for name, plan in {"first": searched, "then": narrower}.items():
        plan_file.write(build / f"{name}.json", replace(plan, margins=(), record={}))
    assert (build / "first.json").read_bytes() == (build / "then.json").read_bytes()
    assert all(many >= few for many, few in zip(narrower.margins, searched.margins, strict=True))


def test_margins_without_a_guarded_variant_are_one_line(tiny_build, tmp_path, capsys):
    recipe = tmp_path / "tiny"
    shutil.copytree(tiny_build.variables["RECIPE"], recipe)
    found = plan_file.read(tiny_build.folder / "build" / plan_file.PLAN_FILE)
    plan_file.write(recipe / plan_file.PLAN_FILE, found)
    code = main(["margins", str(recipe), str(tiny_build.folder / "build")])
    assert_failed((code, capsys.readouterr()), "found no variants.guarded in the recipe")
