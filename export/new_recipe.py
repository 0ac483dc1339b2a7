"""Write a recipe for an encoder and a head: what they say of themselves, and tolerances to begin with."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import tomli_w

from core import recipe as recipes
from core.contract import MULTI_LABEL, RECIPE_FILE, THRESHOLDS_FILE, Pooling
from core.disk.files import write_text
from core.errors import CheckpointError, RecipeError
from core.recipe import Recipe
from export.encoder import checkpoint, sentence_files
from export.head import label_names, published_head
from export.sources.resolve import Source, resolve

_COMMENT = """\
# Written by `make new`. Build it: make artifact RECIPE={folder}
# docs/own-classifier.md has all keys. With a [data] table, thresholds and evaluation read your texts.
"""


def _source(given: str | None, variable: str) -> Source:
    if not given:
        raise RecipeError(f"{variable}: expected hub:ID, package:MODULE/FOLDER or a folder")
    spec = given if given.split(":")[0] in ("hub", "path", "package") else f"path:{given}"
    return resolve(spec, Path.cwd(), variable)


def _stated(source: Source, folder: Path) -> str:
    """Return a source as a recipe in `folder` states it: relative paths are relative to that."""
    kind, _, place = source.spec.partition(":")
    if kind != "path" or place.startswith("~") or Path(place).is_absolute():
        return source.spec
    return f"path:{Path(os.path.relpath(source.folder, folder)).as_posix()}"


def _encoder(source: Source, pooling: Pooling | None, normalize: bool) -> dict[str, Any]:
    own = sentence_files.read(source.folder)
    if own.pooling is None and pooling is None:
        mend = "give OPTIONS='--pooling mean --normalize' or as it was trained"
        raise CheckpointError(f"{source.spec}: has no modules.json, so nothing says how it pools; {mend}")
    if own.pooling is None:
        return {"pooling": pooling, "normalize": normalize}
    return {"pooling": own.pooling.pooling, "normalize": own.pooling.normalize}


def _loaded(tables: dict[str, Any]) -> Recipe:
    """Return the tables as a build will read them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve() / str(tables["name"])
        write_text(folder / RECIPE_FILE, tomli_w.dumps(tables))
        return recipes.load(folder)


def write(
    folder: Path, encoder: str | None, head: str | None, pooling: Pooling | None, normalize: bool
) -> Recipe:
    """Write `folder/recipe.toml`, after the encoder and the head have been read with it.

    Args:
        folder: of the recipe; its name is the recipe's.
        encoder: its source, or a folder.
        head: its source, or a folder.
        pooling: of a checkpoint whose own files don't say.
        normalize: of the same.

    Raises:
        RecipeError: there is such a recipe already, or its name is none.
        SourceError, CheckpointError, HeadError: the encoder or the head cannot be used.
    """
    path = folder / RECIPE_FILE
    if ".." in folder.parts:
        raise RecipeError(f"{folder}: found .. in it, expected a folder of the recipe's own name")
    if folder.exists():
        raise RecipeError(f"{folder}: is there already, and is not written over")
    sources = {"encoder": _source(encoder, "ENCODER"), "head": _source(head, "HEAD")}
    tables: dict[str, Any] = {"name": folder.name, "contract": "stacked"}
    own = _encoder(sources["encoder"], pooling, normalize)
    tables["encoder"] = {"source": _stated(sources["encoder"], folder), **own}
    tables["head"] = {"source": _stated(sources["head"], folder)}
    has_thresholds = (sources["head"].folder / THRESHOLDS_FILE).is_file()
    tables["thresholds"] = {} if has_thresholds else {"default": 0.5}
    tables["labels"] = {"names": label_names.read(sources["head"])}
    tables["variants"] = {"fp32": {"max_probability_error": 1e-5}, "int8": {"max_flip_rate": 0.05}}
    draft = _loaded(tables)
    info = checkpoint.read(sources["encoder"], draft.encoder)
    tables["encoder"]["max_length"] = info.max_length
    found = published_head.read(
        sources["head"], draft.head, draft.labels.names, info.features, draft.thresholds, folder
    )
    if has_thresholds or found.info.problem_type != MULTI_LABEL:
        del tables["thresholds"]
    tokenizer = checkpoint.load_tokenizer(
        checkpoint.transformer(sources["encoder"]).file("tokenizer.json"), info.max_length
    )
    if type(tokenizer.model).__name__ == "WordPiece":
        tables["text"] = {"variant": "int8"}
    content = _COMMENT.format(folder=folder) + tomli_w.dumps(tables)
    recipe = _loaded(tables)
    write_text(path, content)
    return recipe
