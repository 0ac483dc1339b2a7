"""A small made-up data set in GoEmotions' format."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from core.dataset import GO_EMOTIONS_LABELS

LETTERS = {"admiration": "q", "joy": "j", "grief": "g", "neutral": "n"}


def _rows(count: int, seed: int) -> Iterator[str]:
    """Texts whose letters hint at their labels; one in five lies."""
    random = np.random.default_rng(seed)
    for _ in range(count):
        chosen = sorted(random.choice(sorted(LETTERS), size=random.integers(1, 3), replace=False))
        hints = [LETTERS[label] if random.random() > 0.2 else "z" for label in chosen]
        noise = random.choice([*"abcdehiklm"], size=random.integers(1, 6)).tolist()
        indices = ",".join(str(GO_EMOTIONS_LABELS.index(label)) for label in chosen)
        yield f"{' '.join(random.permutation(hints * 2 + noise))}\t{indices}\tid\n"


def write(folder: Path) -> dict[str, str]:
    """Write `train.tsv` and `dev.tsv`; return their SHA-256."""
    digests = {}
    for split, count, seed in (("train", 150, 1), ("dev", 70, 2)):
        content = "".join(_rows(count, seed)).encode()
        (folder / f"{split}.tsv").write_bytes(content)
        digests[split] = hashlib.sha256(content).hexdigest()
    return digests
