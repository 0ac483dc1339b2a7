"""`python -m export`: from a recipe's sources to the files that the graph stages read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from core import recipe
from core.build.facts import EncoderInfo
from core.disk.files import replacing, write_text
from export import command_more
from export.command import (
    BuildFolder,
    RecipeFolder,
    console,
    dependencies,
    errors,
    lock_sources,
    open_encoder,
    source_of,
)
from export.encoder import assets
from export.sources.recipe_lock import LOCK_FILE

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)


@app.command()
def encoder(recipe_folder: RecipeFolder, build_folder: BuildFolder) -> None:
    """Export the encoder: encoder.onnx and encoder.json; lock the sources that come from the hub."""
    with errors():
        for part in lock_sources(recipe_folder, recipe.load(recipe_folder)):
            console.print(f"  export   lock       {part} in {recipe_folder / LOCK_FILE}")
        _, source, info = open_encoder(recipe_folder)
        from export.encoder import torch_encoder as torch_encoder

        target = build_folder / "encoder.onnx"
        with replacing(target) as temporary:
            torch_encoder.export(torch_encoder.load(source.folder), info, temporary)
            write_text(build_folder / "encoder.json", info.to_json())
            dependencies(target, [source.folder / name for name in info.sha256])
        console.print(
            f"  export   encoder    {info.layers} layers, {info.hidden} hidden, {info.described}; "
            f"from {info.source}"
        )


@app.command()
def head(recipe_folder: RecipeFolder, build_folder: BuildFolder) -> None:
    """Read the published head: head.json, and head.npz or head.onnx."""
    with errors():
        from export.head import published_head as published_head

        loaded = recipe.load(recipe_folder)
        info = EncoderInfo.read(build_folder / "encoder.json")
        source = source_of(recipe_folder, loaded.head.source, "HEAD")
        found = published_head.read(source, loaded.head, loaded.labels.names, info.features)
        dependencies(build_folder / "head.json", [source.folder / name for name in found.info.sha256])
        published_head.write(found, build_folder)
        error = found.info.fold_error
        proof = "" if error is None else f", largest probability error {error:.1e}"
        console.print(f"  export   head       {found.info.kind}: {found.info.reason}{proof}")


@app.command("assets")
def write_assets(recipe_folder: RecipeFolder, build_folder: BuildFolder) -> None:
    """Write config, tokenizer and thresholds: assets/."""
    with errors():
        from core.build.facts import HeadInfo

        _, source, info = open_encoder(recipe_folder)
        assets.write(source, info, HeadInfo.read(build_folder / "head.json"), build_folder / "assets")
        console.print("  export   assets     config, tokenizer and thresholds")


@app.command()
def reference(
    recipe_folder: RecipeFolder,
    target: Path,
    split: Annotated[str | None, typer.Option(help="a GoEmotions split instead of the list")] = None,
) -> None:
    """Run the original pair on the fixed list of texts and write TARGET."""
    with errors():
        from core import dataset
        from export.encoder import tokens
        from export.head import published_head as published_head
        from export.reference import answers as originals

        loaded, source, info = open_encoder(recipe_folder)
        head_source = source_of(recipe_folder, loaded.head.source, "HEAD")
        found = published_head.read(head_source, loaded.head, loaded.labels.names, info.features)
        tokenizer = tokens.load(source.file("tokenizer.json"), info.max_length)
        cache = target.parent / "go_emotions"
        listed = dataset.read(split, cache).texts if split else originals.texts()
        originals.write(target, originals.build(source.folder, info, found, tokenizer, listed))
        console.print(f"  export   reference  {len(listed)} texts through torch and the original head")


@app.command()
def calibration(recipe_folder: RecipeFolder, build_folder: BuildFolder) -> None:
    """Write the token ids that a quantization is chosen and judged on: calibration.npz."""
    with errors():
        from export.encoder import tokens
        from export.reference import answers as originals
        from export.reference import calibration as chosen

        _, source, info = open_encoder(recipe_folder)
        tokenizer = tokens.load(source.file("tokenizer.json"), info.max_length)
        arrays = chosen.build(tokenizer, info.max_length, build_folder / "go_emotions")
        originals.write(build_folder / "calibration.npz", arrays)
        console.print(f"  export   calibration {arrays['source'].tobytes().decode()}")


for _command in (command_more.train, command_more.features):
    app.command()(_command)

if __name__ == "__main__":
    app()
