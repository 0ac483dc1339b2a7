"""Training: GoEmotions and an encoder to a head in the published format."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from sklearn.linear_model import LogisticRegression

from export import dataset, encoder, published, rescale, tokens, train_embedding, train_features
from export.contract import HEAD_FILE, THRESHOLDS_FILE, DatasetError
from export.files import replacing, write_bytes, write_text
from export.info import EncoderInfo
from export.tuning import tune

# Of one split: what the head reads, float32 `[n, features]`, and the truth, bool `[n, labels]`.
Part = tuple[NDArray[np.float32], NDArray[np.bool_]]
Classifiers = list[LogisticRegression]
_BATCH_SIZE = 128


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
    """Embed a split's texts `[n, features]`, or read them from `cache` where they were embedded."""
    identity = "\0".join(
        [
            *(f"{name}={digest}" for name, digest in sorted(info.sha256.items())),
            f"{info.pooling} {info.normalize} {info.max_length} {info.feature_parts}",
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


def _truth(split: dataset.Split, labels: Sequence[str]) -> NDArray[np.bool_]:
    return np.array([[label in given for label in labels] for given in split.labels], bool)


def _on_embeddings(train: Part, dev: Part, console: Console) -> tuple[dict[str, float], Classifiers]:
    with _progress(console) as progress:
        task = progress.add_task("fit", total=len(train_embedding.REGULARIZATION_GRID))
        strength, classifiers = train_embedding.choose(train, dev, lambda: progress.advance(task))
    return {"C": strength}, classifiers


def _on_features(train: Part, dev: Part, console: Console) -> tuple[dict[str, float], Classifiers]:
    with _progress(console) as progress:
        task = progress.add_task("fit", total=train_features.FITS)
        found = train_features.choose(train, dev, lambda: progress.advance(task))
    for one in found:
        spread = f"{min(one.scores):.4f} … {max(one.scores):.4f}"
        console.print(f"  head     {one.settings}: macro-F1 across halves of dev {one.mean:.4f} ({spread})")
    best = found[0]
    head = best.heads[0]
    columns = zip(head.weight_fl.T, head.bias_l, strict=True)
    return asdict(best.settings), [published.classifier(weight, bias) for weight, bias in columns]


def _rescaled(
    classifiers: Classifiers, embeddings: NDArray[np.float32], truth: NDArray[np.bool_], console: Console
) -> Classifiers:
    logits = np.stack([one.decision_function(embeddings) for one in classifiers], axis=1).astype(np.float64)
    found = rescale.rescaling(truth, logits)
    console.print(f"  head     {int((found[:, 0] != 1).sum())} of {len(found)} labels rescaled on dev")
    return [
        published.classifier(scale * one.coef_[0], scale * float(one.intercept_[0]) + shift)
        for one, (scale, shift) in zip(classifiers, found, strict=True)
    ]


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
        embeddings = cached_embeddings(folder, info, name, split.texts, cache / "embeddings", console)
        splits[name] = embeddings, _truth(split, labels)
    fit = _on_features if info.feature_layers else _on_embeddings
    settings, classifiers = fit(splits["train"], splits["dev"], console)
    embeddings, truth = splits["dev"]
    classifiers = _rescaled(classifiers, embeddings, truth, console)
    positive = [one.predict_proba(embeddings)[:, 1] for one in classifiers]
    limits, scores = tune(truth, np.stack(positive, axis=1).astype(np.float32))
    thresholds, dev_f1 = (dict(zip(labels, found.tolist(), strict=True)) for found in (limits, scores))
    write_bytes(
        out / HEAD_FILE, published.head_model(labels, classifiers).SerializeToString(deterministic=True)
    )
    write_text(out / THRESHOLDS_FILE, published.thresholds_text(thresholds))
    return Trained(settings, classifiers, thresholds, dev_f1)
