"""Commands beside the build: training a head, choosing what it reads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, cast, get_args

import typer

from core.contract import FeaturePooling
from core.errors import HeadError, RecipeError
from export.command import BuildFolder, RecipeFolder, console, errors, open_encoder

_POOLINGS = ["mean", "max"]


def train(
    recipe_folder: RecipeFolder,
    build_folder: BuildFolder,
    out: Annotated[Path | None, typer.Option(help="default: the recipe's own head folder")] = None,
) -> None:
    """Train a head on GoEmotions with the recipe's encoder."""
    with errors():
        from export.training import train as training

        loaded, source, info = open_encoder(recipe_folder)
        kind, _, place = loaded.head.source.partition(":")
        if out is None and kind != "path":
            raise HeadError(
                f"head.source: found {loaded.head.source!r}, which cannot be written; give OUT=FOLDER"
            )
        folder = out or recipe_folder / place
        trained = training.train(source.folder, info, loaded.labels.names, folder, build_folder, console)
        settings = ", ".join(f"{name} = {value:g}" for name, value in trained.settings.items())
        console.print(
            f"  head     {settings}; macro-F1 {trained.macro_f1:.4f} on dev at its thresholds; written to "
            f"{folder}"
        )


def features(
    recipe_folder: RecipeFolder,
    build_folder: BuildFolder,
    parts: Annotated[int, typer.Option(min=1, help="poolings to keep; a part is `hidden` numbers wide")] = 9,
    pooling: Annotated[list[str], typer.Option(help="to choose from; may be repeated")] = _POOLINGS,
) -> None:
    """Choose what a linear head reads; print it as the recipe's tables of features."""
    with errors():
        from export.training import choose_features, embeddings_cache
        from export.training import train as training

        loaded, source, info = open_encoder(recipe_folder)
        unknown = [how for how in pooling if how not in get_args(FeaturePooling)]
        if unknown:
            raise RecipeError(f"--pooling: found {unknown}, expected of {list(get_args(FeaturePooling))}")
        hows = dict.fromkeys(cast("list[FeaturePooling]", pooling))
        every = [(layer, how) for how in hows for layer in range(info.layers + 1)]
        if parts > len(every):
            raise RecipeError(f"--parts: found {parts}, expected at most {len(every)}, every layer's")
        everything = replace(info, feature_parts=every)
        train = training.part(source.folder, everything, "train", loaded.labels.names, build_folder, console)
        with embeddings_cache.bar(console) as progress:
            task = progress.add_task("fit", total=choose_features.fits(len(every), parts))
            found = choose_features.eliminate(train, every, parts, lambda: progress.advance(task))
        for step in found:
            console.print(
                f"  features {len(step.parts):3} parts: macro-F1 {step.macro_f1:.4f}, entropy left "
                f"{step.entropy_left:.4f}, on a fifth of train"
            )
        print(choose_features.as_toml(found[-1].parts), end="")
