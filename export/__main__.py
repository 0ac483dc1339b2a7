"""`python -m export`: from a recipe's sources to the files that the graph stages read."""

from __future__ import annotations

import core.start  # isort: skip  # noqa: F401  what fails or is interrupted from here on ends in a line

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast, get_args

from rich.console import Console
from tokenizers import Tokenizer

from core import recipe as recipes
from core.build import dense, inputs, stage
from core.build.facts import EncoderInfo
from core.build.reference import GENERAL_TEXTS
from core.cli import CommandLine
from core.contract import HEAD_FILES, RECIPE_FILE, THRESHOLDS_FILE, FeaturePooling, Pooling
from core.disk.files import replacing
from core.errors import HeadError, RecipeError
from core.untrusted import held, tokenizer_file
from export.encoder import checkpoint
from export.sources.recipe_lock import LOCK_FILE
from export.sources.resolve import Source, Sources

if TYPE_CHECKING:
    from export.head.published_head import Head


def _say(text: str) -> None:
    print(f"  export   {text}", flush=True)


def _encoder(sources: Sources) -> Source:
    return checkpoint.transformer(sources.encoder)


def _info(sources: Sources) -> EncoderInfo:
    from export.encoder import tokenizer_agreement

    info = checkpoint.open_encoder(sources)
    tokenizer_agreement.check(_encoder(sources), info)
    return info


def _open(recipe: Path) -> tuple[Sources, EncoderInfo]:
    sources = Sources(recipe)
    return sources, _info(sources)


def _tokenizer(sources: Sources, info: EncoderInfo) -> Tokenizer:
    return checkpoint.load_tokenizer(_encoder(sources).file("tokenizer.json"), info.max_length)


def _write_calibration(sources: Sources, info: EncoderInfo, build: Path) -> None:
    from export.encoder import config_file, torch_dense, torch_encoder
    from export.reference import answers, calibration, sensitivity

    arrays = calibration.build(_tokenizer(sources, info), info.max_length, sources.data(build))
    folder = _encoder(sources).folder
    layers = torch_dense.load(checkpoint.dense_modules(sources.encoder))
    kind = config_file.read(folder / config_file.CONFIG_FILE).kind
    bert, head = torch_encoder.load(folder), _read_head(sources, info)
    arrays |= sensitivity.measure(bert, kind, info, head, calibration.ids(arrays), layers)
    answers.write(build / "calibration.npz", arrays)
    _say(f"calibration {arrays['source'].tobytes().decode()}")


def _read_head(sources: Sources, info: EncoderInfo) -> Head:
    from export.head import published_head

    recipe = sources.recipe
    labels, table = recipe.labels.names, recipe.thresholds
    return published_head.read(sources.head, recipe.head, labels, info.features, table, sources.folder)


def _write_reference(
    sources: Sources, info: EncoderInfo, head: Head, target: Path, own: tuple[Sequence[str], str] | None
) -> None:
    from export.encoder import torch_dense
    from export.reference import answers

    layers = torch_dense.load(checkpoint.dense_modules(sources.encoder))
    listed, source = own or (answers.texts(), None)
    folder, tokenizer = _encoder(sources).folder, _tokenizer(sources, info)
    arrays = answers.build(folder, info, head, tokenizer, listed, source, layers)
    answers.write(target, arrays)
    _say(f"reference  {len(listed)} {source or GENERAL_TEXTS}; through torch and the original head")


def _check_text(sources: Sources, info: EncoderInfo) -> None:
    if sources.recipe.text is not None and not tokenizer_file.is_wordpiece(_tokenizer(sources, info)):
        found = f"{_encoder(sources).file('tokenizer.json')} is none of BERT's, which alone a graph can hold"
        raise RecipeError(f"text: {found}; leave [text] out, and the artifact takes tokens")


def _export(sources: Sources, build: Path) -> EncoderInfo:
    from export.encoder import assets, tokenizer_agreement, torch_encoder
    from export.encoder.dense import layers
    from export.head import published_head

    info = _info(sources)
    _check_text(sources, info)
    head = _read_head(sources, info)
    head.info.check_contract(sources.recipe.contract)
    with replacing(build / "encoder.onnx") as temporary:
        torch_encoder.export(torch_encoder.load(_encoder(sources).folder), info, temporary)
    dense.write(build, layers(checkpoint.dense_modules(sources.encoder)))
    info.write(build / "encoder.json")
    _say(f"encoder    {info.layers} layers, {info.hidden} hidden, {info.described}; from {info.source}")
    published_head.write(head, build)
    error = head.info.fold_error
    proof = "" if error is None else f", largest probability error {error:.1e}"
    _say(f"head       {head.info.kind}: {head.info.reason}{proof}")
    if head.info.columns_from != "names":
        _say(f"labels     columns taken in the order of the recipe: {', '.join(head.info.labels)}")
    assets.write(_encoder(sources), info, head.info, build / "assets")
    tokenizer_agreement.check_artifact(build / "assets", info)
    _say("assets     config, tokenizer and thresholds")
    data = sources.data(build)
    _write_reference(sources, info, head, build / "reference.npz", data.reference() if data else None)
    return info


def _is_searched(sources: Sources, recipe: Path) -> bool:
    return "int8" in sources.recipe.variants and inputs.replayed_plan(recipe) is None


def _data_files(sources: Sources, arguments: argparse.Namespace) -> list[Path]:
    """Return the files of the recipe's own data that this export reads."""
    data = sources.data(arguments.build)
    if data is None:
        return []
    calibrating = _is_searched(sources, arguments.recipe) and data.at_hand("train", "dev")
    return [*(data.paths("train", "dev") if calibrating else []), *data.reference_files()]


def _build(arguments: argparse.Namespace) -> None:
    def work() -> None:
        sources = Sources(arguments.recipe)
        for part in sources.lock():
            _say(f"lock       {part} in {arguments.recipe / LOCK_FILE}")
        files = [sources.encoder.folder / name for name in checkpoint.files(sources.encoder)]
        files += [sources.head.folder / name for name in (*HEAD_FILES, THRESHOLDS_FILE)]
        own = (RECIPE_FILE, LOCK_FILE, sources.recipe.thresholds.source)
        files += [arguments.recipe / name for name in own if name]
        files += _data_files(sources, arguments)
        with held.holding(sources.encoder.folder, sources.head.folder, arguments.recipe):
            state = inputs.Inputs(arguments.recipe, files, arguments.build)
            info = _export(sources, arguments.build)
        if _is_searched(sources, arguments.recipe):
            _write_calibration(sources, info, arguments.build)
        state.record()

    # Before anything is made: the folder's name is the recipe's.
    recipes.load(arguments.recipe)
    stage.run(arguments.recipe, arguments.build, stage.EXPORTED, work)


def _calibration(arguments: argparse.Namespace) -> None:
    _write_calibration(*_open(arguments.recipe), arguments.build)


def _reference(arguments: argparse.Namespace) -> None:
    sources, info = _open(arguments.recipe)
    texts = sources.required_data(arguments.target.parent).read(arguments.split).texts
    own = texts, f"texts, the whole {arguments.split} split"
    _write_reference(sources, info, _read_head(sources, info), arguments.target, own)


def _train(arguments: argparse.Namespace) -> None:
    from export.encoder import torch_dense
    from export.training import train

    sources = Sources(arguments.recipe)
    data, spec = sources.required_data(arguments.build), sources.recipe.head.source
    kind, _, place = spec.partition(":")
    if arguments.out is None and kind != "path":
        raise HeadError(f"head.source: found {spec!r}, which cannot be written; give OUT=FOLDER")
    folder = arguments.out or arguments.recipe / place
    info, console = _info(sources), Console(highlight=False, soft_wrap=True)
    layers = torch_dense.load(checkpoint.dense_modules(sources.encoder))
    trained = train.train(_encoder(sources).folder, info, data, folder, arguments.build, console, layers)
    settings = ", ".join(f"{name} = {value:g}" for name, value in trained.settings.items())
    print(f"  head     {settings}; macro-F1 {trained.macro_f1:.4f} on dev at its thresholds; now in {folder}")


def _features(arguments: argparse.Namespace) -> None:
    from export.training import choose_features, train

    sources, info = _open(arguments.recipe)
    checkpoint.check_hidden_states(info)
    poolings = dict.fromkeys(cast("list[FeaturePooling]", arguments.pooling or ["mean", "max"]))
    unknown = [pooling for pooling in poolings if pooling not in get_args(FeaturePooling)]
    if unknown:
        raise RecipeError(f"--pooling: found {unknown}, expected of {list(get_args(FeaturePooling))}")
    every = [(layer, pooling) for pooling in poolings for layer in range(info.layers + 1)]
    if not 1 <= arguments.parts <= len(every):
        raise RecipeError(f"--parts: found {arguments.parts}, expected 1 to {len(every)}, every layer's")
    console = Console(highlight=False, soft_wrap=True)
    everything, data = replace(info, feature_parts=every), sources.required_data(arguments.build)
    rows = train.read_split(_encoder(sources).folder, everything, "train", data, arguments.build, console)
    with train.bar(console) as progress:
        task = progress.add_task("fit", total=choose_features.fits(len(every), arguments.parts))
        steps = choose_features.eliminate(rows, every, arguments.parts, lambda: progress.advance(task))
    for step in steps:
        scores = f"macro-F1 {step.macro_f1:.4f}, entropy left {step.entropy_left:.4f}"
        print(f"  features {len(step.parts):3} parts: {scores}, on a fifth of train")
    print(choose_features.as_toml(steps[-1].parts), end="")


def _new(arguments: argparse.Namespace) -> None:
    from export import new_recipe

    variables = inputs.overrides()
    sources = variables.get("ENCODER"), variables.get("HEAD")
    recipe = new_recipe.write(arguments.recipe, *sources, arguments.pooling, arguments.normalize)
    shown = f"{recipe.encoder.pooling} pooling; labels {', '.join(recipe.labels.names)}"
    print(f"  new      {arguments.recipe / RECIPE_FILE}: {shown}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status, of a failure with one line that says why."""
    line = CommandLine("python -m export", "From a recipe's sources to the files that the graph stages read.")
    written = "write all that the graph stages read: encoder, head, reference"
    line.add("build", _build, written, "recipe", "build")
    line.add("calibration", _calibration, "write the token ids for a quantization", "recipe", "build")
    reference = line.add("reference", _reference, "run the original pair on a split", "recipe", "target")
    reference.add_argument("--split", required=True, choices=("train", "dev", "test"), help="of the data")
    train = line.add("train", _train, "train a head on the recipe's data", "recipe", "build")
    train.add_argument("--out", type=Path, help="where to write it (default: the recipe's own head folder)")
    features = line.add("features", _features, "choose what a linear head reads", "recipe", "build")
    features.add_argument("--parts", type=int, default=9, help="poolings to keep")
    features.add_argument(
        "--pooling", action="append", help="to choose from; may be repeated (default: mean and max)"
    )
    new = line.add("new", _new, "write a recipe for the sources in ENCODER and HEAD", "recipe")
    new.add_argument("--pooling", choices=get_args(Pooling), help="where its files don't say (default: none)")
    new.add_argument("--normalize", action="store_true", help="where the encoder's own files don't say")
    return line.main(arguments)


if __name__ == "__main__":
    sys.exit(main())
