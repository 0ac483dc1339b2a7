"""What the report shows beside the manifest: the evaluation and the benchmark, where they have been made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import ArtifactError
from core.untrusted import json_file, npz_file

EVALUATION_FILES = ("evaluation.json", "evaluation.npz")
BENCH_FILE = "bench/bench.json"
_TRUTH = "truth/test"
_AGAIN = "; run `make evaluate`"


@dataclass(frozen=True)
class Evaluation:
    """The evaluation of exactly these graphs, on the data of this name.

    `published` and `variants` are as in `evaluation.json`; `probabilities` has float32 `[n, labels]`
    a variant, on the test split, `truth` bool `[n, labels]`.
    """

    data: str
    published: dict[str, Any] | None
    variants: list[dict[str, Any]]
    probabilities: dict[str, NDArray[np.float32]]
    truth: NDArray[np.bool_]


def _arrays(path: Path, names: list[str]) -> dict[str, NDArray[Any]]:
    found = npz_file.read(path, ArtifactError, hint=_AGAIN)
    try:
        return {name: found[name] for name in names}
    except KeyError as error:
        raise ArtifactError(f"{path}: cannot be read: has no {error}{_AGAIN}") from error


def evaluation(build: Path, hashes: dict[str, str], labels: list[str]) -> Evaluation | None:
    """Read the evaluation of the graphs whose SHA-256 is in `hashes` (variant → hash).

    Returns:
        None where `make evaluate` has not run, or not on any of these graphs.

    Raises:
        ArtifactError: a file is damaged, or its arrays don't fit the labels.
    """
    listing, arrays_file = (build / name for name in EVALUATION_FILES)
    if not listing.is_file() or not arrays_file.is_file():
        return None
    content = json_file.read(listing, ArtifactError)
    if not isinstance(content, dict) or "variants" not in content:
        return None
    rows = [row for row in content["variants"] if row["sha256"] == hashes.get(row["variant"])]
    if not rows:
        return None
    names = [f"{row['variant']}/test/probabilities" for row in rows]
    arrays = _arrays(arrays_file, [*names, _TRUTH])
    truth = arrays.pop(_TRUTH).astype(bool)
    for name, found in {_TRUTH: truth, **arrays}.items():
        expected = (len(truth), len(labels))
        if found.shape != expected or not np.isfinite(found).all() or not len(truth):
            raise ArtifactError(f"{arrays_file}: {name}: found {found.shape}, expected numbers {expected}")
    probabilities = {row["variant"]: arrays[name] for row, name in zip(rows, names, strict=True)}
    return Evaluation(str(content.get("data")), content.get("published"), rows, probabilities, truth)


def benchmark(build: Path, sizes: dict[str, int]) -> dict[str, Any] | None:
    """Read the benchmark of graphs of these sizes (variant → bytes); it records no hashes.

    Returns:
        The content of `bench.json`; None where `make bench` has not run, or ran on other graphs.

    Raises:
        ArtifactError: the file is damaged.
    """
    path = build / BENCH_FILE
    if not path.is_file():
        return None
    found: dict[str, Any] = json_file.read(path, ArtifactError)
    try:
        measured = {row["contender"]: row["size_bytes"] for row in found["processes"]}
    except (KeyError, TypeError) as error:
        raise ArtifactError(f"{path}: not a benchmark's: {error}") from error
    same = all(measured.get(name) == size for name, size in sizes.items())
    return found if same else None
