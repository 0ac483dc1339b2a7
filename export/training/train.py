"""Train a head on GoEmotions with an encoder, and write it in the published format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from sklearn.linear_model import LogisticRegression

from core import dataset
from core.build.facts import EncoderInfo
from core.contract import HEAD_FILE, THRESHOLDS_FILE
from core.decisions import Floats, count, decide, macro_f1, truth_of
from core.disk.files import write_bytes, write_json
from core.errors import DatasetError
from export.head import writer
from export.training import embedding, embeddings_cache, features, platt_scaling
from export.training.features import Examples
from export.training.tuning import sigmoid, tune

Classifiers = list[LogisticRegression]


@dataclass(frozen=True)
class Fitted:
    """One classifier a label, and logits float64 `[n, labels]` of texts of train that others were fitted on.

    `truth` is of those texts, bool `[n, labels]`; there may be none.
    """

    settings: dict[str, float]
    classifiers: Classifiers
    logits: NDArray[np.float64]
    truth: NDArray[np.bool_]


@dataclass(frozen=True)
class Trained:
    """A fitted head: what was chosen, one classifier, threshold and dev F1 a label."""

    settings: dict[str, float]
    classifiers: list[LogisticRegression]
    thresholds: dict[str, float]
    dev_f1: dict[str, float]

    @property
    def macro_f1(self) -> float:
        """Mean of the labels' F1 on dev."""
        return sum(self.dev_f1.values()) / len(self.dev_f1)


def _on_embeddings(train: Examples, dev: Examples, parts: int, console: Console) -> Fitted:
    with embeddings_cache.bar(console) as progress:
        task = progress.add_task("fit", total=len(embedding.REGULARIZATION_GRID))
        strength, classifiers = embedding.choose(train, dev, lambda: progress.advance(task))
    return Fitted({"C": strength}, classifiers, np.zeros((0, len(classifiers))), train[1][:0])


def _on_features(train: Examples, dev: Examples, parts: int, console: Console) -> Fitted:
    with embeddings_cache.bar(console) as progress:
        task = progress.add_task("fit", total=features.FITS)
        candidates = features.choose(train, parts, lambda: progress.advance(task))
        best, heads = candidates[0], []
        for seed in features.SEEDS:
            heads.append(features.fit(*train, parts, best.settings, seed))
            progress.advance(task)
    for candidate in candidates:
        console.print(
            f"  head     {candidate.settings}: macro-F1 across halves of train, out of fold, "
            f"{candidate.score:.4f}"
        )
    thresholds = tune(train[1], sigmoid(best.logits))
    scores = [macro_f1(dev[1], decide(sigmoid(head.logits(dev[0])), thresholds)) for head in heads]
    listed = ", ".join(f"{score:.4f}" for score in scores)
    console.print(
        f"  head     macro-F1 on dev of seeds {features.SEEDS}: {listed}; mean {np.mean(scores):.4f}"
    )
    columns = zip(heads[0].weight_fl.T, heads[0].bias_l, strict=True)
    classifiers = [writer.classifier(weight, bias) for weight, bias in columns]
    return Fitted(asdict(best.settings), classifiers, best.logits.astype(np.float64), train[1])


def _logits(classifiers: Classifiers, embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.stack([each.decision_function(embeddings) for each in classifiers], axis=1).astype(np.float64)


def _scaled(classifiers: Classifiers, scaling: Floats) -> Classifiers:
    return [
        writer.classifier(scale * classifier.coef_[0], scale * float(classifier.intercept_[0]) + shift)
        for classifier, (scale, shift) in zip(classifiers, scaling, strict=True)
    ]


def read_split(
    folder: Path, info: EncoderInfo, name: str, labels: Sequence[str], cache: Path, console: Console
) -> Examples:
    """Return what a head reads of the split `name`, float32 `[n, features]`, and its truth `[n, labels]`.

    Raises:
        DatasetError: a label that GoEmotions or the split does not have, or the data cannot be had.
    """
    unknown = sorted(set(labels) - set(dataset.GO_EMOTIONS_LABELS))
    if unknown:
        raise DatasetError(f"labels.names: GoEmotions has no label {', '.join(unknown)}")
    split = dataset.read(name, cache / "go_emotions")
    absent = sorted(set(labels) - {label for given in split.labels for label in given})
    if absent:
        raise DatasetError(f"the {name} split has no text labelled {', '.join(absent)}")
    embeddings = embeddings_cache.embeddings(folder, info, name, split.texts, cache / "embeddings", console)
    return embeddings, truth_of(labels, split.labels)


def train(
    folder: Path, info: EncoderInfo, labels: Sequence[str], out: Path, cache: Path, console: Console
) -> Trained:
    """Train a head on GoEmotions with the encoder in `folder`; write it to `out`.

    Raises:
        DatasetError: a label that GoEmotions does not have, or the data cannot be had.
    """
    examples, dev = (read_split(folder, info, name, labels, cache, console) for name in ("train", "dev"))
    fit = _on_features if info.feature_layers else _on_embeddings
    fitted = fit(examples, dev, len(info.feature_parts), console)
    embeddings, truth = dev
    # Texts that the head was not fitted on: dev, and train out of fold.
    held_out = np.concatenate([fitted.logits, _logits(fitted.classifiers, embeddings)])
    wanted = np.concatenate([fitted.truth, truth])
    scaling = platt_scaling.fit(wanted, held_out)
    console.print(f"  head     {int((scaling[:, 0] != 1).sum())} of {len(scaling)} labels Platt-scaled")
    classifiers = _scaled(fitted.classifiers, scaling)
    chosen = tune(wanted, sigmoid(held_out * scaling[:, 0] + scaling[:, 1]))
    decided = decide(sigmoid(_logits(classifiers, embeddings)), chosen)
    columns = chosen, count(truth, decided).f_beta()
    thresholds, dev_f1 = (dict(zip(labels, column.tolist(), strict=True)) for column in columns)
    write_bytes(out / HEAD_FILE, writer.head_model(labels, classifiers).SerializeToString(deterministic=True))
    write_json(out / THRESHOLDS_FILE, thresholds)
    return Trained(fitted.settings, classifiers, thresholds, dev_f1)
