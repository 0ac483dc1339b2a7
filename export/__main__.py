"""`python -m export`: from a recipe's sources to the files that the graph stages read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from export import assets, checkpoint, recipe, sources
from export.contract import HEAD_FILE, EncoderInfo, HeadError, ToolchainError
from export.files import replacing, write_bytes, write_text

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)
RecipeFolder = Annotated[Path, typer.Argument(help="folder with recipe.toml")]
BuildFolder = Annotated[Path, typer.Argument(help="where the files go: build/NAME")]
console = Console(highlight=False, soft_wrap=True)


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except ToolchainError as error:
        Console(stderr=True, highlight=False, soft_wrap=True).print(f"error: {error}", markup=False)
        raise typer.Exit(1) from error


def _source(folder: Path, spec: str, variable: str) -> sources.Source:
    override = os.environ.get(variable)
    # On the make line `path:` is relative to where make runs, in a recipe to the recipe.
    base = Path.cwd() if override else folder
    return sources.resolve(override or spec, base, variable)


def _open_encoder(folder: Path) -> tuple[recipe.Recipe, sources.Source, EncoderInfo]:
    loaded = recipe.load(folder)
    source = _source(folder, loaded.encoder.source, "ENCODER")
    return loaded, source, checkpoint.read(source, loaded.encoder)


def _dependencies(target: Path, files: list[Path]) -> None:
    """Write a make rule: `target` is out of date when one of `files` changes."""
    escaped = [str(path.resolve()).replace("$", "$$").replace(" ", "\\ ") for path in files]
    # An empty rule for each file, so that one that vanished is no error (as cc -MP does).
    rules = [f"{target}: {' '.join(escaped)}", *(f"{path}:" for path in escaped)]
    target.with_suffix(target.suffix + ".d").write_text("\n".join(rules) + "\n", "utf-8")


@app.command()
def encoder(recipe_folder: RecipeFolder, build_folder: BuildFolder) -> None:
    """Export the encoder: encoder.onnx and encoder.json."""
    with _errors():
        _, source, info = _open_encoder(recipe_folder)
        from export import encoder as torch_encoder

        target = build_folder / "encoder.onnx"
        with replacing(target) as temporary:
            torch_encoder.export(torch_encoder.load(source.folder), info, temporary)
            write_text(build_folder / "encoder.json", info.to_json())
        _dependencies(target, [source.folder / name for name in info.sha256])
        console.print(
            f"  export   encoder    {info.layers} layers, {info.hidden} hidden, {info.pooling} "
            f"pooling; from {info.source}"
        )


@app.command()
def head(recipe_folder: RecipeFolder, build_folder: BuildFolder) -> None:
    """Read the published head: head.json, and head.npz or head.onnx."""
    with _errors():
        from export import head as published_head

        loaded = recipe.load(recipe_folder)
        info = EncoderInfo.read(build_folder / "encoder.json")
        source = _source(recipe_folder, loaded.head.source, "HEAD")
        found = published_head.read(source, loaded.head, loaded.labels.names, info.hidden)
        published_head.write(found, build_folder)
        target = build_folder / "head.json"
        _dependencies(target, [source.folder / name for name in found.info.sha256])
        error = found.info.fold_error
        proof = "" if error is None else f", largest probability error {error:.1e}"
        console.print(f"  export   head       {found.info.kind}: {found.info.reason}{proof}")


@app.command("assets")
def write_assets(recipe_folder: RecipeFolder, build_folder: BuildFolder) -> None:
    """Write config, tokenizer and thresholds: assets/."""
    with _errors():
        from export.contract import HeadInfo

        _, source, info = _open_encoder(recipe_folder)
        assets.write(source, info, HeadInfo.read(build_folder / "head.json"), build_folder / "assets")
        console.print("  export   assets     config, tokenizer and thresholds")


@app.command()
def reference(
    recipe_folder: RecipeFolder,
    target: Path,
    split: Annotated[str | None, typer.Option(help="a GoEmotions split instead of the list")] = None,
) -> None:
    """Run the original pair on the fixed list of texts and write TARGET."""
    with _errors():
        from export import dataset, tokens
        from export import head as published_head
        from export import reference as originals

        loaded, source, info = _open_encoder(recipe_folder)
        head_source = _source(recipe_folder, loaded.head.source, "HEAD")
        found = published_head.read(head_source, loaded.head, loaded.labels.names, info.hidden)
        tokenizer = tokens.load(source.file("tokenizer.json"), info.max_length)
        cache = target.parent / "go_emotions"
        listed = dataset.read(split, cache).texts if split else originals.texts()
        originals.write(target, originals.build(source.folder, info, found, tokenizer, listed))
        console.print(f"  export   reference  {len(listed)} texts through torch and the original head")


@app.command()
def calibration(recipe_folder: RecipeFolder, build_folder: BuildFolder) -> None:
    """Write the token ids that a quantization is chosen and judged on: calibration.npz."""
    with _errors():
        from export import calibration as chosen
        from export import reference as originals
        from export import tokens

        _, source, info = _open_encoder(recipe_folder)
        tokenizer = tokens.load(source.file("tokenizer.json"), info.max_length)
        arrays = chosen.build(tokenizer, info.max_length, build_folder / "go_emotions")
        originals.write(build_folder / "calibration.npz", arrays)
        console.print(f"  export   calibration {arrays['source'].tobytes().decode()}")


@app.command()
def train(
    recipe_folder: RecipeFolder,
    build_folder: BuildFolder,
    out: Annotated[Path | None, typer.Option(help="default: the recipe's own head folder")] = None,
) -> None:
    """Train a head on GoEmotions with the recipe's encoder."""
    with _errors():
        from export import train as training

        loaded, source, info = _open_encoder(recipe_folder)
        kind, _, place = loaded.head.source.partition(":")
        if out is None and kind != "path":
            raise HeadError(
                f"head.source: found {loaded.head.source!r}, which cannot be written; give OUT=FOLDER"
            )
        folder = out or recipe_folder / place
        trained = training.train(source.folder, info, loaded.labels.names, folder, build_folder, console)
        console.print(
            f"  head     C = {trained.regularization:g}, macro-F1 {trained.macro_f1:.4f} on dev, where "
            f"C and the thresholds were chosen; written to {folder}"
        )


@app.command()
def published_head(recipe_folder: RecipeFolder, target: Path) -> None:
    """Copy the published head's ONNX file, as it is, to TARGET."""
    with _errors():
        loaded = recipe.load(recipe_folder)
        source = _source(recipe_folder, loaded.head.source, "HEAD")
        write_bytes(target, source.file(HEAD_FILE).read_bytes())


@app.command()
def random_bge(folder: Path) -> None:
    """Write an encoder of BGE-small's shape and a head, both with random weights."""
    with _errors():
        from export import random_bge as randomly

        randomly.write(folder)
        console.print("  export   random-bge 12 layers, 384 hidden, and a head; seeded random weights")


@app.command()
def bench_torch(
    recipe_folder: RecipeFolder,
    build_folder: BuildFolder,
    threads: Annotated[int, typer.Option(help="of torch and of the head's session")] = 1,
) -> None:
    """Serve the original pair to the benchmark (JSON lines; not for hands)."""
    with _errors():
        from export import bench_torch as torch_pair
        from export.contract import HeadInfo
        from export.protocol import serve

        loaded, source, info = _open_encoder(recipe_folder)
        head_source = _source(recipe_folder, loaded.head.source, "HEAD")
        classifier = HeadInfo.read(build_folder / "head.json")
        serve(lambda: torch_pair.load(source, head_source, info, classifier, threads))


if __name__ == "__main__":
    app()
