"""Commands beside the build: training a head, and what the benchmark needs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, cast, get_args

import typer

from export import limits, recipe, safe_files
from export.command import BuildFolder, RecipeFolder, console, errors, open_encoder, source_of
from export.contract import HEAD_FILE, FeaturePooling, HeadError, RecipeError
from export.files import write_bytes

_POOLINGS = ["mean", "max"]


def train(
    recipe_folder: RecipeFolder,
    build_folder: BuildFolder,
    out: Annotated[Path | None, typer.Option(help="default: the recipe's own head folder")] = None,
) -> None:
    """Train a head on GoEmotions with the recipe's encoder."""
    with errors():
        from export import train as training

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
        from export import choose_features, embeddings_cache
        from export import train as training

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


def published_head(recipe_folder: RecipeFolder, target: Path) -> None:
    """Copy the published head's ONNX file, as it is, to TARGET."""
    with errors():
        loaded = recipe.load(recipe_folder)
        source = source_of(recipe_folder, loaded.head.source, "HEAD")
        write_bytes(target, safe_files.read(source.file(HEAD_FILE), limits.HEAD_BYTES, HeadError))


def random_bge(folder: Path) -> None:
    """Write an encoder of BGE-small's shape and a head, both with random weights."""
    with errors():
        from export import random_bge as randomly

        randomly.write(folder)
        console.print("  export   random-bge 12 layers, 384 hidden, and a head; seeded random weights")


def bench_torch(
    recipe_folder: RecipeFolder,
    build_folder: BuildFolder,
    threads: Annotated[int, typer.Option(help="of torch and of the head's session")] = 1,
) -> None:
    """Serve the original pair to the benchmark (JSON lines; not for hands)."""
    with errors():
        from export import bench_torch as torch_pair
        from export.info import HeadInfo
        from export.protocol import serve

        loaded, source, info = open_encoder(recipe_folder)
        head_source = source_of(recipe_folder, loaded.head.source, "HEAD")
        classifier = HeadInfo.read(build_folder / "head.json")
        serve(lambda: torch_pair.load(source, head_source, info, classifier, threads))


def bench_pipeline(recipe_folder: RecipeFolder, build_folder: BuildFolder, texts: Path) -> None:
    """Run the original pair in transformers' pipeline on a Parquet file's column `text`; print the time."""
    with errors():
        import json

        import pyarrow.parquet as pq

        from export import bench_pipeline as pipeline
        from export.info import HeadInfo

        loaded, source, info = open_encoder(recipe_folder)
        head_source = source_of(recipe_folder, loaded.head.source, "HEAD")
        classifier = HeadInfo.read(build_folder / "head.json")
        given = pq.read_table(texts).column("text").to_pylist()
        run = pipeline.load(source, head_source, info, classifier)
        seconds = pipeline.seconds(run, classifier.thresholds, given)
        print(json.dumps({"texts": len(given), "seconds": seconds}))
