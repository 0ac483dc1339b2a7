"""Read GoEmotions in its published split (Demszky et al. 2020, arXiv 2005.00547), checked by SHA-256.

Standard library only: training and evaluation both read it.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.request
from pathlib import Path
from typing import NamedTuple

from core.disk.files import sha256_file, write_bytes
from core.errors import DatasetError
from core.untrusted.regular_file import naming

GO_EMOTIONS_DIR = "GO_EMOTIONS_DIR"
GO_EMOTIONS_URL = "https://raw.githubusercontent.com/google-research/google-research/master/goemotions/data/"
GO_EMOTIONS_SHA256 = {
    "train": "1c254a142be5c00e80d819b9ae1bbd36d94b2eeb8f4b1271846508d57e57d9c5",
    "dev": "575489c079c9de1097062a01738f998590d6b7ead66dd1c9fd1d2ba01fd8bc62",
    "test": "0587b2dd8b27b97352adbfc3fb083d46005c8946657fdc2b1ca8b1cc7f1f8be4",
}
# The order of the label indices in the TSV files (labels.txt of the data set).
GO_EMOTIONS_LABELS = (
    "admiration amusement anger annoyance approval caring confusion curiosity desire disappointment "
    "disapproval disgust embarrassment excitement fear gratitude grief joy love nervousness optimism "
    "pride realization relief remorse sadness surprise neutral"
).split()
_DOWNLOAD_TIMEOUT_SECONDS = 60


class Split(NamedTuple):
    """Texts of one split and, for each, the names of its labels."""

    texts: list[str]
    labels: list[frozenset[str]]


def _check(place: str, sha256: str, split: str) -> None:
    if sha256 != GO_EMOTIONS_SHA256[split]:
        raise DatasetError(f"{place}: SHA-256 found {sha256}, expected {GO_EMOTIONS_SHA256[split]}")


def _download(split: str, path: Path) -> None:
    url = f"{GO_EMOTIONS_URL}{split}.tsv"
    hint = f"; set {GO_EMOTIONS_DIR} to a folder that holds {split}.tsv"
    causes = (http.client.HTTPException, OSError)
    with (
        naming(url, DatasetError, "could not be downloaded", *causes, hint=hint),
        urllib.request.urlopen(url, timeout=_DOWNLOAD_TIMEOUT_SECONDS) as response,
    ):
        content = response.read()
    # Before it is kept: a wrong file in the cache would fail every later run.
    _check(url, hashlib.sha256(content).hexdigest(), split)
    write_bytes(path, content)


def present(split: str, cache: Path) -> bool:
    """Whether a split can be read without a download."""
    return bool(os.environ.get(GO_EMOTIONS_DIR)) or (cache / f"{split}.tsv").exists()


def locate(split: str, cache: Path) -> Path:
    """Return the path of a split's TSV: in `GO_EMOTIONS_DIR` where set, else downloaded to `cache`.

    Raises:
        DatasetError: the file is missing, could not be downloaded, or is not the published one.
    """
    folder = os.environ.get(GO_EMOTIONS_DIR)
    path = Path(folder) / f"{split}.tsv" if folder else cache / f"{split}.tsv"
    if not folder and not path.exists():
        _download(split, path)
    if not path.is_file():
        raise DatasetError(f"{path}: not found ({GO_EMOTIONS_DIR} is {folder})")
    _check(str(path), sha256_file(path), split)
    return path


def read(split: str, cache: Path) -> Split:
    """Read a split (`train`, `dev` or `test`), in file order."""
    texts, labels = [], []
    # newline="\n": the texts hold other line separators that are not the end of a row.
    with locate(split, cache).open(encoding="utf-8", newline="\n") as file:
        for line in file:
            text, indices, _ = line.rstrip("\n").split("\t")
            texts.append(text)
            labels.append(frozenset(GO_EMOTIONS_LABELS[int(i)] for i in indices.split(",")))
    return Split(texts, labels)
