"""The readers that are fuzzed, each as its command calls it, and how the files it reads are changed."""

from __future__ import annotations

import argparse
import contextlib
import io
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path
from random import Random

from tests.fuzz import mutate, mutate_npz, mutate_onnx, mutate_tree

Files = dict[str, bytes]


def read_head(folder: Path) -> None:
    from core.recipe import HeadTable
    from export.head import published_head
    from export.sources.resolve import Source
    from tests.fuzz.labels import LABELS, WIDTH

    published_head.read(Source("path:head", folder), HeadTable(source="path:head"), LABELS, WIDTH)


def read_recipe(folder: Path) -> None:
    from core import recipe

    recipe.load(folder)


def read_thresholds(folder: Path) -> None:
    from core.contract import MULTI_LABEL
    from core.recipe import ThresholdsTable
    from export.head import thresholds
    from export.sources.resolve import Source
    from tests.fuzz.labels import LABELS

    source = Source("path:head", folder)
    thresholds.read(source, ThresholdsTable(), folder, LABELS).of(LABELS, MULTI_LABEL)


def read_artifact(folder: Path) -> None:
    from verify.parity import check as parity_check

    with contextlib.redirect_stdout(io.StringIO()):
        parity_check.run(argparse.Namespace(artifact=folder, reference=None, json=None, junit=None))


def read_encoder(folder: Path) -> None:
    from core.recipe import EncoderTable
    from export.encoder import checkpoint
    from export.sources.resolve import Source

    part = EncoderTable(source="path:bert", pooling="mean", normalize=True)
    source = Source("path:bert", folder)
    info = checkpoint.read(source, part)
    checkpoint.encode(
        checkpoint.load_tokenizer(source.file("tokenizer.json"), info.max_length),
        ["the a b c!", "", "z" * 200],
    )


READERS: dict[str, Callable[[Path], None]] = {
    "head": read_head,
    "recipe": read_recipe,
    "thresholds": read_thresholds,
    "artifact": read_artifact,
    "encoder": read_encoder,
}


def _structured(name: str, content: bytes, random: Random) -> bytes:
    if name.endswith(".onnx"):
        return mutate_onnx.mutated(content, random)
    if name.endswith(".npz"):
        return mutate_npz.mutated(content, random)
    if name.endswith(".json"):
        return mutate_tree.mutated_json(content, random)
    if name.endswith(".toml"):
        return mutate_tree.mutated_toml(content, random, tomllib.loads)
    return mutate.mutated(content, random)


def seeds_in(folder: Path) -> list[Path]:
    """Return the folders of the seeds, in order."""
    return sorted(path for path in folder.iterdir() if path.is_dir())


def files_of(folder: Path) -> Files:
    """Read an input's files, in order."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def case(seeds: Path, seed: str) -> tuple[str, Files]:
    """Return the name and the files of one input; three in four are structured changes.

    `seed` names it for ever.
    """
    random = Random(seed)
    original = random.choice(seeds_in(seeds))
    files = files_of(original)
    # The graph is where most can be wrong.
    names = [name for name in files if name.endswith(".onnx")]
    names = names if names and random.random() < 0.7 else list(files)
    for name in random.sample(names, 1 if random.random() < 0.9 else min(2, len(names))):
        if random.random() < 1 / 4:
            files[name] = mutate.mutated(files[name], random)
        else:
            files[name] = _structured(name, files[name], random)
    return original.name, files


def write(name: str, files: Files, place: Path) -> Path:
    """Write an input to a folder of its name in `place`, which holds nothing else afterwards; return it."""
    shutil.rmtree(place, ignore_errors=True)
    folder = place / name
    folder.mkdir(parents=True)
    for file, content in files.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(content)
    return folder
