"""Reading a reference file: what the original pair said of a list of texts."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.contract import ArtifactError


@dataclass(frozen=True)
class Reference:
    """Texts, their token ids, and the original's float32 answers `[n, labels]`."""

    texts: list[str]
    labels: list[str]
    ids: list[list[int]]
    logits: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    thresholds: dict[str, float]
    encoder_sha256: str
    head_sha256: str

    @property
    def decisions(self) -> NDArray[np.bool_]:
        """`probability >= threshold`, bool `[n, labels]`."""
        limits = [self.thresholds[label] for label in self.labels]
        decided: NDArray[np.bool_] = self.probabilities >= np.array(limits, np.float32)
        return decided


def _text(array: NDArray[np.uint8]) -> str:
    return array.tobytes().decode("utf-8")


def read(path: Path) -> Reference:
    """Read a reference file.

    Raises:
        ArtifactError: it is missing, damaged, or its arrays don't fit each other.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        labels = json.loads(_text(arrays["labels"]))
        lengths = arrays["lengths"]
        ends = np.cumsum(lengths)
        ids = [
            arrays["input_ids"][end - length : end].tolist()
            for end, length in zip(ends, lengths, strict=True)
        ]
        reference = Reference(
            texts=json.loads(_text(arrays["texts"])),
            labels=labels,
            ids=ids,
            logits=arrays["logits"],
            probabilities=arrays["probabilities"],
            thresholds=dict(zip(labels, arrays["thresholds"].tolist(), strict=True)),
            encoder_sha256=_text(arrays["encoder_sha256"]),
            head_sha256=_text(arrays["head_sha256"]),
        )
        # JSON can spell lone surrogates, which no tokenizer and no file takes.
        "".join([*reference.texts, *labels]).encode("utf-8")
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ArtifactError(f"{path}: not a reference file: {error}") from error
    expected = (len(ids), len(labels))
    for name, found in (("logits", reference.logits), ("probabilities", reference.probabilities)):
        if found.shape != expected or len(reference.texts) != len(ids):
            raise ArtifactError(f"{path}: {name}: found shape {found.shape}, expected {expected}")
    return reference
