"""A small made-up data set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from core.data.data_set import DataSet
from core.data.table import DataTable

LETTERS = {"admiration": "q", "joy": "j", "grief": "g", "neutral": "n"}


def _rows(count: int, seed: int) -> Iterator[str]:
    """Texts whose letters hint at their labels; one in five lies."""
    random = np.random.default_rng(seed)
    for _ in range(count):
        chosen = sorted(random.choice(sorted(LETTERS), size=random.integers(1, 3), replace=False))
        hints = [LETTERS[label] if random.random() > 0.2 else "z" for label in chosen]
        noise = random.choice([*"abcdehiklm"], size=random.integers(1, 6)).tolist()
        yield f"{' '.join(random.permutation(hints * 2 + noise))},{'|'.join(chosen)}\n"


TABLE = {"train": "train.csv", "dev": "dev.csv", "ignore_labels": sorted(LETTERS)}


def write(folder: Path) -> None:
    """Write `train.csv` and `dev.csv`."""
    folder.mkdir(exist_ok=True)
    for split, count, seed in (("train", 150, 1), ("dev", 70, 2)):
        (folder / f"{split}.csv").write_text("text,labels\n" + "".join(_rows(count, seed)), "utf-8")


def data_set(folder: Path, labels: list[str]) -> DataSet:
    """Return the data set that `write` wrote to a folder."""
    return DataSet(DataTable(**TABLE), folder, folder, labels)
