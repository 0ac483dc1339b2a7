"""Compute what a head reads of a whole split once, and keep it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from core import dataset
from core.build.facts import EncoderInfo
from core.disk.files import replacing
from core.errors import ArtifactError
from core.untrusted import npz_file
from export.encoder import checkpoint, torch_encoder

_BATCH_SIZE = 128


def bar(console: Console) -> Progress:
    """Return a progress bar with a count and the time left."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
    )


def embeddings(
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
        return npz_file.read_one(path, ArtifactError)
    bert = torch_encoder.load(folder)
    ids = checkpoint.encode(checkpoint.load_tokenizer(folder / "tokenizer.json", info.max_length), texts)
    with bar(console) as progress:
        task = progress.add_task(f"embed {split}", total=len(ids))
        embedded = torch_encoder.embed(
            bert, info, ids, _BATCH_SIZE, lambda done: progress.advance(task, done)
        )
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.save(file, embedded)
    return embedded
