"""`python -m verify thresholds`: choose a variant's thresholds on dev, and compare the methods on test.

A single-label graph answers with its highest label whatever the thresholds; they say when it must rather say
nothing, and are chosen by least precision or recall alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from core.contract import SINGLE_LABEL, THRESHOLDS_FILE
from core.decisions import Floats
from core.disk.files import write_json
from core.errors import ThresholdError
from core.thresholds import CANDIDATES, METHODS, Choice, Floor, Kind, Scored, choose, silences
from verify.quality import evaluate, evaluate_table, single_label, threshold_comparison, threshold_place

if TYPE_CHECKING:
    from verify.build import Build
    from verify.quality.answers import Answered

_FLOORS: tuple[tuple[str, Kind], ...] = (("--min-precision", "precision"), ("--min-recall", "recall"))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--out", type=Path, help=f"where to write them (default: BUILD/{THRESHOLDS_FILE})")
    where.add_argument("--apply", action="store_true", help="write them where the recipe's builds read them")
    parser.add_argument("--replace", action="store_true", help="write over a file outside the build folder")
    parser.add_argument("--variant", help="whose answers (default: the recipe's last but guarded)")
    parser.add_argument("--method", choices=tuple(METHODS), default=Choice.method, help="how to choose")
    parser.add_argument(
        "--candidates", choices=tuple(CANDIDATES), default=Choice.candidates, help="what to choose among"
    )
    parser.add_argument(
        "--beta", type=float, default=Choice.beta, help="of F-beta; above 1, recall counts more"
    )
    for option, kind in _FLOORS:
        parser.add_argument(
            option,
            action="append",
            default=[],
            metavar="LABEL=NUMBER",
            help=f"least {kind} of a label on dev, with the best of the other; repeatable (default: none)",
        )


def _floors(arguments: argparse.Namespace, labels: Sequence[str]) -> dict[str, Floor]:
    floors: dict[str, Floor] = {}
    for option, kind in _FLOORS:
        for given in getattr(arguments, f"min_{kind}"):
            label, _, number = given.rpartition("=")
            try:
                least = float(number)
            except ValueError:
                least = float("nan")
            if not label or not 0 < least <= 1:
                raise ThresholdError(
                    f"{option}: found {given!r}, expected LABEL=NUMBER, above 0 and at most 1"
                )
            if label not in labels:
                raise ThresholdError(f"{option}: found label {label!r}, expected one of {', '.join(labels)}")
            if label in floors:
                raise ThresholdError(f"{option}: found a second minimum for {label!r}, expected one a label")
            floors[label] = Floor(kind, least)
    return floors


def _choice(arguments: argparse.Namespace, labels: Sequence[str]) -> Choice:
    if not 0 < arguments.beta < float("inf"):
        raise ThresholdError(f"--beta: found {arguments.beta}, expected a number above 0")
    return Choice(arguments.method, arguments.candidates, arguments.beta, _floors(arguments, labels))


def _target(arguments: argparse.Namespace, build: Build) -> Path:
    path: Path = arguments.out or arguments.build / THRESHOLDS_FILE
    if arguments.apply:
        return threshold_place.place(build.recipe, build.recipe_folder)
    inside = path.resolve().is_relative_to(arguments.build.resolve())
    if path.is_dir():
        raise ThresholdError(f"{path}: found a folder, expected a file's name")
    if path.exists() and not inside and not arguments.replace:
        raise ThresholdError(f"{path}: is there, and not in the build folder; --replace writes over it")
    return path


def _variant(arguments: argparse.Namespace, build: Build) -> str:
    known = list(build.recipe.variants)
    # Away from the packaged thresholds `guarded` says what int8 does.
    variant: str = arguments.variant or [name for name in known if name != "guarded"][-1]
    if variant not in known:
        raise ThresholdError(
            f"{build.recipe.name}: found no variant {variant!r}, expected one of {', '.join(known)}"
        )
    return variant


def _answered(build: Build) -> dict[str, Answered]:
    from rich.console import Console

    from verify.quality import answers

    variants = list(build.recipe.variants)
    answered = answers.read(build, variants)
    if answered is None:
        answered = answers.run(build, variants, Console(stderr=True))
        answers.write(build, answered)
    return {variant.variant: variant for variant in answered}


def _silences(dev: Scored, test: Scored, choice: Choice) -> Floats:
    """Choose a single-label graph's thresholds on dev; print what they do on both splits."""
    if not choice.floors:
        raise ThresholdError(
            "found no --min-precision and no --min-recall, expected one: a single-label classifier answers "
            "with its highest label, and a threshold only says when it must rather say nothing"
        )
    thresholds = silences(dev, choice.floors)
    for name, split in (("dev", dev), ("test", test)):
        figures = single_label.figures(split.truth, split.decide(thresholds))
        print(f"{name}: {single_label.described(figures)}")
    return thresholds


def _print_own(answered: dict[str, Answered], choice: Choice) -> None:
    """Say whether each variant but the first wants thresholds of its own; floors are left out."""
    choice = replace(choice, floors=None)
    first, *others = answered.values()
    for other in others:
        thresholds = [choose(variant.scored["dev"], choice) for variant in (other, first)]
        names = other.variant, first.variant
        print(threshold_comparison.own_line(*names, other.scored["test"], *thresholds))


def _compare(answered: dict[str, Answered], variant: str, choice: Choice) -> None:
    dev, test = answered[variant].scored["dev"], answered[variant].scored["test"]
    print(threshold_comparison.table(variant, threshold_comparison.methods(dev, test, choice)))
    _print_own(answered, choice)


def run(arguments: argparse.Namespace) -> None:
    """Choose thresholds on dev, print the comparison of methods on test, write `thresholds.json`.

    Raises:
        ToolchainError: an option, the build or the data is wrong, or OUT may not be written over.
    """
    from verify.build import Build

    build = Build.of(arguments)
    choice = _choice(arguments, build.recipe.labels.names)
    target, variant = _target(arguments, build), _variant(arguments, build)
    answered = _answered(build)
    dev, test = answered[variant].scored["dev"], answered[variant].scored["test"]
    if dev.problem_type == SINGLE_LABEL:
        thresholds, name = _silences(dev, test, choice), "least precision or recall"
    else:
        thresholds, name = choose(dev, choice), choice.name
        _compare(answered, variant, choice)
    print(f"\n{variant}, {name}, on dev:")
    print("\n".join(evaluate_table.per_label(evaluate.figures(dev, thresholds))))
    write_json(target, dict(zip(dev.labels, thresholds.tolist(), strict=True)))
    print(f"\n  thresholds {variant:<9}{name}; written to {target}")
    if arguments.apply:
        threshold_place.name_in_recipe(build.recipe, build.recipe_folder, target)
        print(f"  next       {_next(build)}")


def _next(build: Build) -> str:
    """Say what makes an artifact of applied thresholds."""
    chosen = " margins" * ("guarded" in build.recipe.variants)
    return f"make{chosen} artifact" + " (guarded's margins were chosen for the thresholds before)" * bool(
        chosen
    )
