"""Train a head on a recipe's data with its encoder, and write it in the published format."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

from core.build.facts import EncoderInfo
from core.contract import HEAD_FILE, MULTI_LABEL, THRESHOLDS_FILE
from core.data.data_set import DataSet, check_positives, overlap
from core.data.table import SplitName
from core.decisions import count, decide, macro_f1, truth_of
from core.disk.files import replacing, write_bytes, write_json
from core.errors import ArtifactError
from core.untrusted import npz_file
from export.encoder import checkpoint, torch_encoder
from export.head import writer
from export.training import features, platt_scaling
from export.training.features import Examples, Linear
from export.training.tuning import sigmoid, tune

# scikit-learn's inverse regularization strengths to choose from, and its limit of L-BFGS iterations.
_REGULARIZATION_GRID = (1.0, 3.0, 10.0, 30.0, 100.0)
_MAX_ITERATIONS = 2000
_BATCH_SIZE = 128


class Fitted(NamedTuple):
    """A linear head, and logits float64 `[n, labels]` of texts of train that others were fitted on.

    `truth` is of those texts, bool `[n, labels]`; there may be none.
    """

    settings: dict[str, float]
    head: Linear
    logits: NDArray[np.float64]
    truth: NDArray[np.bool_]


class Trained(NamedTuple):
    """A fitted head: what was chosen, one classifier, threshold and dev F1 a label."""

    settings: dict[str, float]
    classifiers: list[LogisticRegression]
    thresholds: dict[str, float]
    dev_f1: dict[str, float]

    @property
    def macro_f1(self) -> float:
        """Mean of the labels' F1 on dev."""
        return sum(self.dev_f1.values()) / len(self.dev_f1)


def bar(console: Console) -> Progress:
    """Return a progress bar with a count and the time left."""
    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console)


def embeddings(
    folder: Path,
    info: EncoderInfo,
    split: str,
    texts: Sequence[str],
    cache: Path,
    console: Console,
    dense: torch.nn.Sequential | None = None,
) -> NDArray[np.float32]:
    """Embed a split's texts `[n, features]`, or read them from `cache` where they were embedded."""
    files = [f"{name}={sha256}" for name, sha256 in sorted(info.sha256.items())]
    settings = f"{info.pooling} {info.normalize} {info.max_length} {info.feature_parts} {info.dense}"
    identity = json.dumps([files, settings, list(texts)])
    path = cache / f"{split}-{hashlib.sha256(identity.encode()).hexdigest()[:16]}.npy"
    if path.is_file():
        return npz_file.read_one(path, ArtifactError)
    bert = torch_encoder.load(folder)
    ids = checkpoint.encode(checkpoint.load_tokenizer(folder / "tokenizer.json", info.max_length), texts)
    with bar(console) as progress:
        task = progress.add_task(f"embed {split}", total=len(ids))
        advance = partial(progress.advance, task)
        embedded = torch_encoder.embed(bert, info, ids, _BATCH_SIZE, advance, dense)
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.save(file, embedded)
    return embedded


def _on_embeddings(train: Examples, dev: Examples, parts: int, console: Console) -> Fitted:
    """Fit scikit-learn's logistic regressions; one strength for all labels has the best macro-F1 on dev."""
    candidates = []
    with bar(console) as progress:
        for strength in progress.track(_REGULARIZATION_GRID, description="fit"):
            regression = LogisticRegression(C=strength, max_iter=_MAX_ITERATIONS)
            classifiers = [clone(regression).fit(train[0], column) for column in train[1].T]
            positive = [classifier.predict_proba(dev[0])[:, 1] for classifier in classifiers]
            probabilities = np.stack(positive, axis=1).astype(np.float32)
            decided = decide(probabilities, tune(dev[1], probabilities), MULTI_LABEL)
            candidates.append((macro_f1(dev[1], decided), strength, classifiers))
    _, strength, classifiers = max(candidates, key=lambda candidate: candidate[0])
    weight_lf = np.concatenate([fitted.coef_ for fitted in classifiers]).astype(np.float64)
    bias_l = np.concatenate([fitted.intercept_ for fitted in classifiers]).astype(np.float64)
    return Fitted({"C": strength}, Linear(weight_lf.T, bias_l), np.zeros((0, len(bias_l))), train[1][:0])


def _on_features(train: Examples, dev: Examples, parts: int, console: Console) -> Fitted:
    with bar(console) as progress:
        task = progress.add_task("fit", total=features.FITS)
        candidates = features.choose(train, parts, lambda: progress.advance(task))
        best, heads = candidates[0], []
        for seed in features.SEEDS:
            heads.append(features.fit(*train, parts, best.settings, seed))
            progress.advance(task)
    for candidate in candidates:
        score = f"macro-F1 across halves of train, out of fold, {candidate.score:.4f}"
        console.print(f"  head     {candidate.settings}: {score}")
    thresholds = tune(train[1], sigmoid(best.logits))
    answers = [sigmoid(head.logits(dev[0])) for head in heads]
    scores = [macro_f1(dev[1], decide(each, thresholds, MULTI_LABEL)) for each in answers]
    listed = ", ".join(f"{score:.4f}" for score in scores)
    mean = f"mean {np.mean(scores):.4f}"
    console.print(f"  head     macro-F1 on dev of seeds {features.SEEDS}: {listed}; {mean}")
    return Fitted(asdict(best.settings), heads[0], best.logits.astype(np.float64), train[1])


def _logits(head: Linear, inputs: NDArray[np.float32]) -> NDArray[np.float64]:
    return inputs @ head.weight_fl + head.bias_l


def read_split(
    folder: Path,
    info: EncoderInfo,
    name: SplitName,
    data: DataSet,
    cache: Path,
    console: Console,
    dense: torch.nn.Sequential | None = None,
) -> Examples:
    """Return what a head reads of the split `name`, float32 `[n, features]`, and its truth `[n, labels]`.

    Raises:
        DatasetError: the data cannot be had, or the split has no text of a label.
    """
    split = data.read(name)
    check_positives(name, data.labels, split.labels)
    inputs = embeddings(folder, info, name, split.texts, cache / "embeddings", console, dense)
    return inputs, truth_of(data.labels, split.labels)


def train(
    folder: Path,
    info: EncoderInfo,
    data: DataSet,
    out: Path,
    cache: Path,
    console: Console,
    dense: torch.nn.Sequential | None = None,
) -> Trained:
    """Train a head on a recipe's data with the encoder in `folder`; write it to `out`.

    `dense` are the layers before the normalization, where the checkpoint has some.

    Raises:
        DatasetError: the data cannot be had, or a split has no text of a label.
    """
    labels = data.labels
    shared = overlap(("train", "dev"), (data.read("train").texts, data.read("dev").texts))
    if shared:
        console.print(f"  data     {shared}", markup=False)
    examples, dev = (read_split(folder, info, name, data, cache, console, dense) for name in ("train", "dev"))
    fit = _on_features if info.feature_layers else _on_embeddings
    fitted = fit(examples, dev, len(info.feature_parts), console)
    inputs, truth = dev
    # Texts that the head was not fitted on: dev, and train out of fold.
    held_out = np.concatenate([fitted.logits, _logits(fitted.head, inputs)])
    wanted = np.concatenate([fitted.truth, truth])
    scale, shift = platt_scaling.fit(wanted, held_out).T
    console.print(f"  head     {int((scale != 1).sum())} of {len(scale)} labels Platt-scaled")
    head = Linear(scale * fitted.head.weight_fl, scale * fitted.head.bias_l + shift)
    chosen = tune(wanted, sigmoid(held_out * scale + shift))
    decided = decide(sigmoid(_logits(head, inputs)), chosen, MULTI_LABEL)
    columns = chosen, count(truth, decided).f_beta()
    thresholds, dev_f1 = (dict(zip(labels, column.tolist(), strict=True)) for column in columns)
    classifiers = [writer.classifier(*column) for column in zip(head.weight_fl.T, head.bias_l, strict=True)]
    write_bytes(out / HEAD_FILE, writer.head_model(labels, classifiers).SerializeToString(deterministic=True))
    write_json(out / THRESHOLDS_FILE, thresholds)
    return Trained(fitted.settings, classifiers, thresholds, dev_f1)
