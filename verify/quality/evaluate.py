"""`python -m verify evaluate`: measure a build's graphs on the recipe's data, beside published figures.

By four protocols, which say where thresholds were chosen, and where they are measured:

- ``dev-tuned``: the artifact's own thresholds, measured on test. The honest one: they were chosen on dev,
  by the trainer of features also on train out of fold, and on nothing of test.
- ``test-tuned``: chosen on test on the grid of 0.05 and measured there, as published cards do.
- ``at-0.5``: 0.5 for every label, on test.
- ``dev``: the artifact's own thresholds on dev.

A single-label artifact has protocols of its own (`single_label`).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from core import decisions
from core.contract import SINGLE_LABEL
from core.decisions import Floats
from core.disk.files import write_json
from core.thresholds import PUBLISHED, Scored, choose
from verify.quality import evaluate_table, published, single_label
from verify.quality.evaluate_table import AT_HALF, DEV, DEV_TUNED, TEST_TUNED

# The variant that the others are compared with.
EXACT = "fp32"

if TYPE_CHECKING:
    from core.data.table import SplitName
    from verify.build import Build
    from verify.quality.answers import Answered


def figures(scored: Scored, thresholds: Floats) -> dict[str, Any]:
    """Return a row a label and both averages, as `evaluation.json` and the model card have them."""
    decided = scored.decide(thresholds)
    counts = decisions.count(scored.truth, decided)
    columns = {
        "label": scored.labels,
        "threshold": thresholds.tolist(),
        "precision": counts.precision().tolist(),
        "recall": counts.recall().tolist(),
        "f1": counts.f_beta().tolist(),
        "support": counts.support.astype(int).tolist(),
    }
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    single = scored.problem_type == SINGLE_LABEL
    more = single_label.figures(scored.truth, decided) if single else {}
    return {"labels": rows, **counts.averages(), **more}


def _protocol(answered: Answered, split: SplitName, thresholds: Floats) -> dict[str, Any]:
    scored = answered.scored[split]
    found = {"split": split, "texts": len(scored.truth), **figures(scored, thresholds)}
    return found | ({"left_out": answered.left_out[split]} if "accuracy" in found else {})


def _protocols(answered: Answered) -> dict[str, Any]:
    """Return the first of which is of the packaged thresholds on test, what the card has."""
    test, packaged = answered.scored["test"], answered.thresholds
    if test.problem_type == SINGLE_LABEL:
        always = {single_label.ALWAYS: _protocol(answered, "test", 0 * packaged)} if packaged.any() else {}
        return {
            single_label.PACKAGED: _protocol(answered, "test", packaged),
            **always,
            single_label.DEV: _protocol(answered, "dev", packaged),
        }
    return {
        DEV_TUNED: _protocol(answered, "test", packaged),
        TEST_TUNED: _protocol(answered, "test", choose(test, PUBLISHED)),
        AT_HALF: _protocol(answered, "test", np.full(len(test.labels), 0.5)),
        DEV: _protocol(answered, "dev", packaged),
    }


def flips(answered: Answered, exact: Answered) -> float:
    """Return the share of test texts that a variant decides otherwise than another, `exact`."""
    ours, theirs = (each.scored["test"].decide(each.thresholds) for each in (answered, exact))
    return float((ours != theirs).any(axis=1).mean())


def measure(answered: Answered, exact: Answered | None = None) -> dict[str, Any]:
    """Return one entry of `variants` in `evaluation.json`.

    Args:
        answered: the variant's answers.
        exact: those of `fp32`, where the recipe has it and this is another.

    Raises:
        ThresholdError: a label has no positive text in test.
    """
    return {
        "variant": answered.variant,
        "sha256": answered.sha256,
        "seconds": answered.seconds,
        "flips_from_fp32": None if exact is None else flips(answered, exact),
        "protocols": _protocols(answered),
    }


def _measured(answered: Sequence[Answered]) -> list[dict[str, Any]]:
    exact = next((each for each in answered if each.variant == EXACT), None)
    return [measure(each, None if each is exact else exact) for each in answered]


def forget_other_data(build: Build) -> None:
    """Remove an evaluation that is of other texts than the recipe's data now are; without data at hand, none.

    Raises:
        ArtifactError: `evaluation.json` is damaged.
        RecipeError, DatasetError: the data cannot be read.
    """
    from verify.build import EVALUATION_FILE

    path, data = build.folder / EVALUATION_FILE, build.data
    if not path.is_file():
        return
    if data is not None and not data.at_hand("dev", "test"):
        return
    found = build.json(EVALUATION_FILE)
    known = found.get("data_digest") if isinstance(found, dict) else None
    if data is None or known != data.digest("dev", "test"):
        path.unlink()
        print("  verify   evaluation was of other data, and is removed; run `make evaluate`")


def run(arguments: argparse.Namespace) -> None:
    """Evaluate; write `evaluation.json` and `evaluation.npz`; print the tables.

    Raises:
        ToolchainError: a file of the build or the data is missing or wrong.
    """
    from rich.console import Console

    from core import recipe
    from core.build.facts import EncoderInfo
    from verify.build import EVALUATION_FILE, Build
    from verify.quality import answers

    build = Build.of(arguments)
    data = recipe.required_data(build.recipe, build.recipe_folder, build.folder)
    card = published.read(build.recipe, build.recipe_folder)
    encoder = EncoderInfo.read(build.folder / "encoder.json").source
    answered = answers.run(build, list(build.recipe.variants), Console(stderr=True))
    # A published table is of sigmoids, each label by itself.
    single = answered[0].scored["test"].problem_type == SINGLE_LABEL
    card = None if single else card
    evaluation = {
        "recipe": build.recipe.name,
        "encoder": encoder,
        "data": data.title,
        "data_digest": data.digest("dev", "test"),
        "published": card,
        "variants": _measured(answered),
    }
    answers.write(build, answered)
    write_json(build.folder / EVALUATION_FILE, evaluation)
    packaged = dict(zip(build.recipe.labels.names, answered[0].thresholds.tolist(), strict=True))
    remarks = published.remarks(card, encoder, packaged) if card else []
    print(evaluate_table.text(evaluation, remarks))
