"""Training: GoEmotions and an encoder to a head in the published format."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from export import dataset, encoder, published, tokens
from export.contract import HEAD_FILE, THRESHOLDS_FILE, DatasetError, EncoderInfo
from export.files import replacing, write_bytes, write_text

# scikit-learn's inverse regularization strengths to choose from, and its limit of L-BFGS iterations.
REGULARIZATION_GRID = (1.0, 3.0, 10.0, 30.0, 100.0)
MAX_ITERATIONS = 2000
THRESHOLD_GRID = tuple(round(0.05 * step, 2) for step in range(1, 20))
_BATCH_SIZE = 128


@dataclass(frozen=True)
class Trained:
    """A fitted head: its regularization, one classifier, threshold and dev F1 a label."""

    regularization: float
    classifiers: list[LogisticRegression]
    thresholds: dict[str, float]
    dev_f1: dict[str, float]

    @property
    def macro_f1(self) -> float:
        """Mean of the labels' F1 on dev."""
        return sum(self.dev_f1.values()) / len(self.dev_f1)


@dataclass(frozen=True)
class _Embedded:
    """A split, and its texts' embeddings `[n, hidden]`."""

    split: dataset.Split
    embeddings: NDArray[np.float32]


_Advance = Callable[[], None]


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
    )


def cached_embeddings(
    folder: Path, info: EncoderInfo, split: str, texts: Sequence[str], cache: Path, console: Console
) -> NDArray[np.float32]:
    """Embed a split's texts `[n, hidden]`, or read them from `cache` where they were embedded."""
    identity = "\0".join(
        [
            *(f"{name}={digest}" for name, digest in sorted(info.sha256.items())),
            f"{info.pooling} {info.normalize} {info.max_length}",
            dataset.GO_EMOTIONS_SHA256[split],
        ]
    )
    path = cache / f"{split}-{hashlib.sha256(identity.encode()).hexdigest()[:16]}.npy"
    if path.is_file():
        stored: NDArray[np.float32] = np.load(path, allow_pickle=False)
        return stored
    bert = encoder.load(folder)
    ids = tokens.encode(tokens.load(folder / "tokenizer.json", info.max_length), texts)
    with _progress(console) as progress:
        task = progress.add_task(f"embed {split}", total=len(ids))
        embeddings = encoder.embed(bert, info, ids, _BATCH_SIZE, lambda done: progress.advance(task, done))
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.save(file, embeddings)
    return embeddings


def tune_threshold(truth: NDArray[np.bool_], probability: NDArray[np.float32]) -> tuple[float, float]:
    """Return the threshold of the grid 0.05 … 0.95 with the best F1, the lowest of equals, and it."""
    scores = [
        float(f1_score(truth, probability >= np.float32(threshold), zero_division=0.0))
        for threshold in THRESHOLD_GRID
    ]
    best = int(np.argmax(scores))
    return THRESHOLD_GRID[best], scores[best]


def _truth(split: dataset.Split, label: str) -> NDArray[np.bool_]:
    return np.array([label in labels for labels in split.labels])


def _fit_one(
    labels: Sequence[str],
    train: _Embedded,
    dev: _Embedded,
    regularization: float,
    advance: _Advance,
) -> Trained:
    classifiers, thresholds, dev_f1 = [], {}, {}
    for label in labels:
        classifier = LogisticRegression(C=regularization, max_iter=MAX_ITERATIONS)
        classifier.fit(train.embeddings, _truth(train.split, label))
        probability = classifier.predict_proba(dev.embeddings)[:, 1].astype(np.float32)
        thresholds[label], dev_f1[label] = tune_threshold(_truth(dev.split, label), probability)
        classifiers.append(classifier)
        advance()
    return Trained(regularization, classifiers, thresholds, dev_f1)


def fit(labels: Sequence[str], train: _Embedded, dev: _Embedded, console: Console) -> Trained:
    """Fit one logistic regression a label on `train`; choose all else on `dev`.

    One threshold a label, by its F1; one regularization strength for all, by their macro-F1.
    """
    with _progress(console) as progress:
        task = progress.add_task("fit", total=len(REGULARIZATION_GRID) * len(labels))
        candidates = [
            _fit_one(labels, train, dev, strength, lambda: progress.advance(task))
            for strength in REGULARIZATION_GRID
        ]
    return max(candidates, key=lambda candidate: candidate.macro_f1)


def train(
    folder: Path, info: EncoderInfo, labels: Sequence[str], out: Path, cache: Path, console: Console
) -> Trained:
    """Train a head on GoEmotions with the encoder in `folder`; write it to `out`.

    Raises:
        DatasetError: a label that GoEmotions does not have, or the data cannot be had.
    """
    unknown = sorted(set(labels) - set(dataset.GO_EMOTIONS_LABELS))
    if unknown:
        raise DatasetError(f"labels.names: GoEmotions has no label {', '.join(unknown)}")
    splits = {}
    for name in ("train", "dev"):
        split = dataset.read(name, cache / "go_emotions")
        absent = sorted(set(labels) - {label for given in split.labels for label in given})
        if absent:
            raise DatasetError(f"the {name} split has no text labelled {', '.join(absent)}")
        splits[name] = _Embedded(
            split, cached_embeddings(folder, info, name, split.texts, cache / "embeddings", console)
        )
    trained = fit(labels, splits["train"], splits["dev"], console)
    model = published.head_model(labels, trained.classifiers)
    write_bytes(out / HEAD_FILE, model.SerializeToString(deterministic=True))
    write_text(out / THRESHOLDS_FILE, published.thresholds_text(trained.thresholds))
    return trained
