"""Run a build's variants on the recipe's data once, and keep their probabilities in `evaluation.npz`.

Its arrays: `VARIANT/SPLIT/probabilities` float32 `[n, labels]` and `truth/SPLIT` bool `[n, labels]`, for
dev and test, in the data set's order of texts and the order of `labels`; `data` tells which texts they are;
`VARIANT/thresholds` float64 `[labels]` and `VARIANT/sha256` are the graph's, `VARIANT/seconds` is the time
that test took; `problem_type` is the graphs', `left_out/SPLIT` counts the texts that a single-label graph is
not measured on.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from core import recipe
from core.artifact import tokens
from core.artifact.graph import Graph
from core.contract import MULTI_LABEL, SINGLE_LABEL, ProblemType
from core.data.data_set import DataSet, Split, check_positives, overlap
from core.data.table import SplitName
from core.decisions import truth_of
from core.disk.files import replacing, sha256_file
from core.errors import ArtifactError
from core.runtime import TokenIds
from core.thresholds import Scored
from core.untrusted import npz_file
from verify.build import Build
from verify.quality import single_label

ANSWERS_FILE = "evaluation.npz"
SPLITS: tuple[SplitName, ...] = ("dev", "test")
_BATCH_SIZE = 32


@dataclass(frozen=True)
class Answered:
    """One variant's probabilities on dev and test; `seconds` is what test took, after loading.

    `thresholds` are the graph's own, float64 `[labels]`. Of a single-label graph the texts without
    exactly one label are left out; `left_out` counts them, a split.
    """

    variant: str
    sha256: str
    seconds: float
    thresholds: NDArray[np.float64]
    scored: dict[SplitName, Scored]
    left_out: dict[SplitName, int]


def _data(build: Build) -> DataSet:
    return recipe.required_data(build.recipe, build.recipe_folder, build.folder)


def _splits(data: DataSet, console: Console) -> dict[SplitName, Split]:
    """Read dev and test; say which texts of test are where something was chosen."""
    splits = {name: data.read(name) for name in SPLITS}
    seen = {"dev": splits["dev"].texts}
    if data.at_hand("train"):
        seen["train"] = data.read("train").texts
    for name, texts in seen.items():
        sentence = overlap((name, "test"), (texts, splits["test"].texts))
        if sentence:
            console.print(f"  data     {sentence}", markup=False, highlight=False, soft_wrap=True)
    for name, split in splits.items():
        check_positives(name, data.labels, split.labels)
    return splits


def run(build: Build, variants: Sequence[str], console: Console) -> list[Answered]:
    """Run variants on dev and test.

    Raises:
        ArtifactError: a file of the build is missing, or a probability is not a number.
        RecipeError: the recipe states no data.
        DatasetError: the data cannot be had, or lacks a label of the recipe.
    """
    splits = _splits(_data(build), console)
    labels = build.recipe.labels.names
    truth = {name: truth_of(labels, split.labels) for name, split in splits.items()}
    tokenizer = build.folder / "assets" / "tokenizer.json"
    ids = {name: tokens.encode(tokenizer, split.texts) for name, split in splits.items()}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        return [_run_one(build, variant, ids, truth, progress) for variant in variants]


def _run_one(
    build: Build,
    variant: str,
    ids: Mapping[SplitName, TokenIds],
    truth: Mapping[SplitName, NDArray[np.bool_]],
    progress: Progress,
) -> Answered:
    path, labels = build.graph(variant), build.recipe.labels.names
    graph = Graph(path)
    if graph.labels != labels:
        raise ArtifactError(f"{path}: labels: found {graph.labels}, expected the recipe's, {labels}")
    kind = graph.metadata.problem_type
    scored, seconds, left_out = {}, {}, {}
    for split in SPLITS:
        kept = single_label.measured(truth[split], split, kind)
        asked = [row for row, measured in zip(ids[split], kept, strict=True) if measured]
        left_out[split] = len(kept) - len(asked)
        advance = partial(progress.advance, progress.add_task(f"{variant} on {split}", total=len(asked)))
        start = time.perf_counter()
        answers = graph.run_sorted(asked, _BATCH_SIZE, advance)
        seconds[split] = time.perf_counter() - start
        probabilities = _all_finite(path, labels, answers.probabilities)
        scored[split] = Scored(labels, truth[split][kept], probabilities, kind)
    thresholds = np.array([graph.thresholds[label] for label in labels])
    return Answered(variant, sha256_file(path), seconds["test"], thresholds, scored, left_out)


def _all_finite(path: Path, labels: list[str], probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    if not np.isfinite(probabilities).all():
        row, column = np.argwhere(~np.isfinite(probabilities))[0]
        raise ArtifactError(
            f"{path}: probability of {labels[column]} for text {row}: found {probabilities[row, column]}, "
            "expected a number"
        )
    return probabilities


def write(build: Build, answered: Sequence[Answered]) -> None:
    """Write `evaluation.npz`, whole or not at all.

    Raises:
        ArtifactError: it cannot be written.
    """
    path, labels = build.folder / ANSWERS_FILE, answered[0].scored["test"].labels
    arrays: dict[str, NDArray[Any]] = {
        "labels": np.array(labels),
        "data": np.array(_data(build).digest(*SPLITS)),
    }
    for each in answered:
        arrays[f"{each.variant}/sha256"] = np.array(each.sha256)
        arrays[f"{each.variant}/seconds"] = np.array(each.seconds)
        arrays[f"{each.variant}/thresholds"] = each.thresholds
        arrays["problem_type"] = np.array(each.scored["test"].problem_type)
        for split, scored in each.scored.items():
            arrays[f"left_out/{split}"] = np.array(each.left_out[split])
            arrays[f"truth/{split}"] = scored.truth
            arrays[f"{each.variant}/{split}/probabilities"] = scored.probabilities
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def read(build: Build, variants: Sequence[str]) -> list[Answered] | None:
    """Read what `write` wrote; None where it is not of exactly these graphs and texts.

    Raises:
        ArtifactError: the file is damaged.
        DatasetError: the data cannot be had.
    """
    path, labels = build.folder / ANSWERS_FILE, build.recipe.labels.names
    if not path.is_file():
        return None
    answered = []
    arrays = npz_file.read(path, ArtifactError, "not what `make evaluate` writes", "; run it again")
    try:
        if arrays["labels"].tolist() != labels or str(arrays["data"]) != _data(build).digest(*SPLITS):
            return None
        for variant in variants:
            graph = build.graph(variant)
            if f"{variant}/sha256" not in arrays or not graph.is_file():
                return None
            sha256, seconds = str(arrays[f"{variant}/sha256"]), float(arrays[f"{variant}/seconds"])
            if sha256 != sha256_file(graph):
                return None
            kind: ProblemType = SINGLE_LABEL if arrays["problem_type"] == SINGLE_LABEL else MULTI_LABEL
            scored = {
                split: Scored(
                    labels, arrays[f"truth/{split}"], arrays[f"{variant}/{split}/probabilities"], kind
                )
                for split in SPLITS
            }
            left_out = {split: int(arrays[f"left_out/{split}"]) for split in SPLITS}
            thresholds = arrays[f"{variant}/thresholds"]
            answered.append(Answered(variant, sha256, seconds, thresholds, scored, left_out))
    except (ValueError, KeyError) as error:
        raise ArtifactError(f"{path}: not what `make evaluate` writes: {error}; run it again") from error
    return answered
