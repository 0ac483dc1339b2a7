"""What the tiny artifact must say, from its formula in float64, and reading outputs of every kind."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from tests.support import artifacts

csv.field_size_limit(1 << 20)


def probabilities(text: str, bias: float) -> np.ndarray:
    tokenizer = artifacts.tokenizer()
    tokenizer.enable_truncation(artifacts.MAX_LENGTH)
    logits = artifacts.answers([tokenizer.encode(text).ids], artifacts.WEIGHTS, bias)[0]
    return 1 / (1 + np.exp(-logits))


def labels(text: str | None, bias: float = 0.25) -> list[str] | None:
    if text is None:
        return None
    yes = probabilities(text, bias) >= np.array(artifacts.LIMITS)
    return [label for label, decided in zip(artifacts.LABELS, yes, strict=True) if decided]


def rows(path: Path) -> list[dict]:
    """The rows of an output, `labels` as lists and `truncated` as bool whatever the kind."""
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    with path.open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    flags = {"true": True, "false": False, "": None}
    return [
        row | {"labels": json.loads(row["labels"] or "null"), "truncated": flags[row["truncated"]]}
        for row in found
    ]
