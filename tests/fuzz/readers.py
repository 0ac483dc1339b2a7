"""The readers that are fuzzed: what each does with an input, and the code whose lines it must reach.

What a reader imports it imports when it first reads: the fuzzer instruments our modules before that, and
coverage is measured from there. Where a second reader of the same format is at hand, what ours accepts is
compared with what that one reads.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fuzz import packed
from tests.fuzz.labels import LABELS, WIDTH

# What is kept: seeds, what reaches lines that no smaller input does, and what fuzzing found.
CORPUS = Path(__file__).parent / "corpus"


def _written(content: bytes, folder: Path, name: str) -> Path:
    packed.write({name: content}, folder)
    return folder / name


def read_onnx(content: bytes, folder: Path) -> None:
    from core.errors import ArtifactError, HeadError
    from core.untrusted import onnx_file
    from core.untrusted.wire import operators
    from tests.fuzz import same_onnx

    path = _written(content, folder, "model.onnx")
    # What a head may hold an artifact's graph may hold, too.
    model = onnx_file.check(path, operators.GRAPH, ArtifactError)
    same_onnx.check(content, model)
    onnx_file.check(path, operators.HEAD, HeadError)


def read_differential(content: bytes, folder: Path) -> None:
    from core.errors import ArtifactError
    from core.untrusted import onnx_file
    from core.untrusted.wire import operators
    from tests.fuzz import differential
    from tests.fuzz.same import DifferenceError

    path = _written(content, folder, "model.onnx")
    onnx_file.check(path, operators.GRAPH, ArtifactError)
    found = differential.disagreement(content, folder)
    if found is not None:
        raise DifferenceError(found)


def read_json(content: bytes, folder: Path) -> None:
    from core.errors import ArtifactError
    from core.untrusted import json_file
    from tests.fuzz import same_values

    path = _written(content, folder, "any.json")
    same_values.check_json(content, json_file.read(path, ArtifactError))


def read_manifest(content: bytes, folder: Path) -> None:
    from core.artifact import manifest
    from core.errors import ArtifactError
    from core.untrusted import json_file

    path = _written(content, folder, manifest.MANIFEST_FILE)
    json_file.read_object(path, ArtifactError)
    manifest.broken_seal(content)
    for read in (manifest.name, manifest.variants, manifest.text_graph):
        with contextlib.suppress(ArtifactError):
            read(folder)
    for name in manifest.listed_files(manifest.parse(content, path), path):
        if not (folder / name).resolve().is_relative_to(folder.resolve()):
            raise AssertionError(f"a file outside: {name!r}")


def read_recipe(content: bytes, folder: Path) -> None:
    from core import recipe
    from core.contract import RECIPE_FILE

    _written(content, folder / "minilm-l6-go-emotions", RECIPE_FILE)
    recipe.load(folder / "minilm-l6-go-emotions")


def read_npz(content: bytes, folder: Path) -> None:
    from core.errors import ArtifactError
    from core.untrusted import npz_file
    from tests.fuzz import same_values

    same_values.check_npz(content, npz_file.read(_written(content, folder, "any.npz"), ArtifactError))


def read_zip(content: bytes, folder: Path) -> None:
    from core.errors import HeadError
    from core.untrusted import limits, zip_file
    from tests.fuzz import same_values

    path = _written(content, folder, "head.skops")
    read = zip_file.read(path, limits.HEAD_BYTES, limits.SKOPS_DIRECTORY_BYTES, HeadError)
    same_values.check_zip(read, limits.HEAD_BYTES)


def read_tokenizer(content: bytes, folder: Path) -> None:
    from core.errors import ArtifactError
    from core.untrusted import limits, tokenizer_file

    path = _written(content, folder, "tokenizer.json")
    tokenizer = tokenizer_file.load(path, ArtifactError, 64)
    texts = ["the a b c! [CLS] é漢 ", "", "z" * 2000, "\x00\u202e\U0001f600 ##a"]
    for ids in tokenizer_file.encode(tokenizer, texts, path, ArtifactError):
        if len(ids) > 64 or not all(0 <= number < limits.VOCABULARY for number in ids):
            raise AssertionError(f"{len(ids)} ids up to {max(ids)}")


def read_weights(content: bytes, folder: Path) -> None:
    from core.errors import CheckpointError
    from core.untrusted import limits, weights_file
    from tests.fuzz import same_values

    path = _written(content, folder, "model.safetensors")
    shapes = weights_file.shapes(path)
    same_values.check_weights(content, shapes)
    arrays, _ = weights_file.read_small(path, limits.HEAD_BYTES)
    if {name: array.shape for name, array in arrays.items()} != shapes:
        raise AssertionError("the arrays have other shapes than the header")
    with contextlib.suppress(CheckpointError):
        weights_file.check(folder, shapes.items(), "bert.")


def read_index(content: bytes, folder: Path) -> None:
    from core.untrusted import weights_file

    _written(content, folder, weights_file.INDEX_FILE)
    for name in weights_file.names(folder):
        if Path(name).name != name:
            raise AssertionError(f"a file outside: {name!r}")


def read_csv(content: bytes, folder: Path) -> None:
    from tests.fuzz import same_rows

    same_rows.check_csv(_written(content, folder, "corpus.csv"))


def read_jsonl(content: bytes, folder: Path) -> None:
    from tests.fuzz import same_rows

    same_rows.check_json_lines(_written(content, folder, "corpus.jsonl"))


def read_delimited(content: bytes, folder: Path) -> None:
    from core.errors import DatasetError
    from core.untrusted import delimited_file
    from tests.fuzz import same_rows

    path = _written(content, folder, "data.csv")
    with contextlib.suppress(DatasetError):
        same_rows.check_bare(content, list(delimited_file.rows(path, "\t", False, DatasetError)))
    same_rows.check_quoted(content, list(delimited_file.rows(path, ",", True, DatasetError)))


def read_frames(content: bytes, folder: Path) -> None:
    from core.untrusted.limited import frames

    # What a limited process answers, once whatever it read has taken it over.
    file: Any = io.BytesIO(content)
    while (message := frames.read_header(file)) is not None:
        header, size = message
        if size > len(content):
            raise frames.FrameError(f"{size} bytes that nobody asked for")
        hash(header.get("number", -1))
        values = frames.read_values(file, header, size)
        if values is None:
            return
        # Read back from what the writer makes of it, a value is the same.
        again: Any = io.BytesIO(b"".join(frames.pack({}, values)))
        told, size = frames.read_header(again) or ({}, 0)
        if repr(frames.read_values(again, told, size)) != repr(values):
            raise AssertionError(f"a value that is another when it is written: {values!r:.300}")


def read_head(content: bytes, folder: Path) -> None:
    from core.recipe import HeadTable
    from export.head import published_head
    from export.sources.resolve import Source

    packed.write(packed.unpack(content), folder)
    published_head.read(Source("path:head", folder), HeadTable(source="path:head"), LABELS, WIDTH)


def read_thresholds(content: bytes, folder: Path) -> None:
    from core.contract import MULTI_LABEL
    from core.recipe import ThresholdsTable
    from export.head import thresholds
    from export.sources.resolve import Source

    _written(content, folder, "thresholds.json")
    source = Source("path:head", folder)
    thresholds.read(source, ThresholdsTable(), folder, LABELS).of(LABELS, MULTI_LABEL)


def read_artifact(content: bytes, folder: Path) -> None:
    from verify.parity import check as parity_check

    packed.write(packed.unpack(content), folder)
    with contextlib.redirect_stdout(io.StringIO()):
        parity_check.run(argparse.Namespace(artifact=folder, reference=None, json=None, junit=None))


def read_encoder(content: bytes, folder: Path) -> None:
    from core.recipe import EncoderTable
    from export.encoder import checkpoint
    from export.sources.resolve import Source

    packed.write(packed.unpack(content), folder)
    part = EncoderTable(source="path:bert", pooling="mean", normalize=True)
    source = Source("path:bert", folder)
    info = checkpoint.read(source, part)
    tokenizer = checkpoint.load_tokenizer(source.file("tokenizer.json"), info.max_length)
    checkpoint.encode(tokenizer, ["the a b c!", "", "z" * 200])


@dataclass(frozen=True)
class Reader:
    """One row of the table.

    Attributes:
        read: reads an input's bytes, as files in a folder; raises the toolchain's errors alone.
        modules: modules and packages of ours whose lines are counted.
        largest: bytes of an input.
        kept: whose part of the corpus it has, where that is not its own.
    """

    read: Callable[[bytes, Path], None]
    modules: tuple[str, ...]
    largest: int = 1 << 14
    kept: str = ""

    @property
    def files(self) -> list[Path]:
        """The files of `modules`."""
        found: list[Path] = []
        for name in self.modules:
            spec = importlib.util.find_spec(name)
            assert spec is not None
            assert spec.origin is not None
            path = Path(spec.origin)
            found += sorted(path.parent.rglob("*.py")) if path.name == "__init__.py" else [path]
        return found


_CHECKS = "core.untrusted."
READERS: dict[str, Reader] = {
    "onnx": Reader(read_onnx, (f"{_CHECKS}onnx_file", f"{_CHECKS}wire")),
    "differential": Reader(read_differential, (f"{_CHECKS}onnx_file", f"{_CHECKS}wire"), kept="onnx"),
    "json": Reader(read_json, (f"{_CHECKS}json_file", f"{_CHECKS}regular_file")),
    "manifest": Reader(read_manifest, ("core.artifact.manifest", f"{_CHECKS}json_file")),
    "recipe": Reader(read_recipe, (f"{_CHECKS}toml_file", "core.recipe", "core.tables", "core.data.table")),
    "npz": Reader(read_npz, (f"{_CHECKS}npz_file", f"{_CHECKS}zip_file")),
    "zip": Reader(read_zip, (f"{_CHECKS}zip_file",)),
    "tokenizer": Reader(read_tokenizer, (f"{_CHECKS}tokenizer_file",)),
    "weights": Reader(read_weights, (f"{_CHECKS}weights_file",)),
    "index": Reader(read_index, (f"{_CHECKS}weights_file",)),
    "csv": Reader(read_csv, ("score.input.csv_records", "score.input.blocks")),
    "jsonl": Reader(read_jsonl, ("score.input.json_lines", "score.input.json_values", "score.input.blocks")),
    "delimited": Reader(read_delimited, (f"{_CHECKS}delimited_file",)),
    "frames": Reader(read_frames, (f"{_CHECKS}limited.frames",)),
    "thresholds": Reader(read_thresholds, ("export.head.thresholds", "core.build.facts")),
    "head": Reader(read_head, ("export.head",), 1 << 16),
    "artifact": Reader(read_artifact, ("core.artifact", "verify.parity", "core.build.reference"), 1 << 17),
    "encoder": Reader(read_encoder, ("export.encoder.checkpoint",), 1 << 17),
}


def corpus_of(reader: str) -> Path:
    """Return the folder of a reader's inputs in the project."""
    return CORPUS / (READERS[reader].kept or reader)
