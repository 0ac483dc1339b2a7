"""`python -m verify thresholds`: choose a variant's thresholds on dev, and show what the ways are worth."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from core.contract import THRESHOLDS_FILE
from core.errors import ThresholdError

if TYPE_CHECKING:
    from verify.build import Build
    from verify.quality.answers import Answered
    from verify.quality.threshold_methods import Choice, Scored
    from verify.quality.thresholds import Floor, Kind

_FLOORS: tuple[tuple[str, Kind], ...] = (("--min-precision", "precision"), ("--min-recall", "recall"))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--out", type=Path, help=f"default: BUILD/{THRESHOLDS_FILE}")
    parser.add_argument("--replace", action="store_true", help="write over a file outside the build folder")
    parser.add_argument("--variant", help="default: the recipe's last")
    parser.add_argument("--method", choices=("plain", "bagged", "shrunk"), default="shrunk")
    parser.add_argument("--candidates", choices=("grid", "exact"), default="exact")
    parser.add_argument("--beta", type=float, default=1.0, help="of F-beta; above 1, recall counts more")
    for option, kind in _FLOORS:
        parser.add_argument(
            option,
            action="append",
            default=[],
            metavar="LABEL=NUMBER",
            help=f"least {kind} of a label on dev, with the best of the other there; may be repeated",
        )


def _floors(arguments: argparse.Namespace, labels: Sequence[str]) -> dict[str, Floor]:
    from verify.quality.thresholds import Floor

    found: dict[str, Floor] = {}
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
            if label in found:
                raise ThresholdError(f"{option}: found a second minimum for {label!r}, expected one a label")
            found[label] = Floor(kind, least)
    return found


def _target(arguments: argparse.Namespace) -> Path:
    path: Path = arguments.out or arguments.build / THRESHOLDS_FILE
    inside = path.resolve().is_relative_to(arguments.build.resolve())
    if path.is_dir():
        raise ThresholdError(f"{path}: found a folder, expected a file's name")
    if path.exists() and not inside and not arguments.replace:
        raise ThresholdError(f"{path}: is there, and not in the build folder; --replace writes over it")
    return path


def _variant(arguments: argparse.Namespace, build: Build) -> str:
    known = list(build.recipe.variants)
    variant: str = arguments.variant or known[-1]
    if variant not in known:
        raise ThresholdError(
            f"{build.recipe.name}: found no variant {variant!r}, expected one of {', '.join(known)}"
        )
    return variant


def _answered(build: Build) -> dict[str, Answered]:
    from rich.console import Console

    from verify.quality import answers

    variants = list(build.recipe.variants)
    found = answers.read(build, variants)
    if found is None:
        found = answers.run(build, variants, Console(stderr=True))
        answers.write(build.folder / answers.ANSWERS_FILE, found)
    return {one.variant: one for one in found}


def _chosen_rows(dev: Scored, limits: Sequence[float]) -> list[str]:
    import numpy as np

    from verify.quality import metrics
    from verify.quality.evaluation_table import per_label

    found = metrics.metrics(dev.truth, dev.decide(np.array(limits)))
    rows = metrics.as_rows(dev.labels, dict(zip(dev.labels, limits, strict=True)), found)
    return per_label({"labels": rows, **found.averages()})


def run(arguments: argparse.Namespace) -> None:
    """Choose thresholds on dev, print the comparison of methods on test, write `thresholds.json`.

    Raises:
        ToolchainError: an option, the build or the data is wrong, or OUT may not be written over.
    """
    import json

    from core import recipe
    from core.disk.files import write_text
    from verify.build import Build
    from verify.quality import threshold_compare
    from verify.quality.threshold_methods import Choice, choose

    build = Build(recipe.load(arguments.recipe), arguments.recipe, arguments.build)
    if not 0 < arguments.beta < float("inf"):
        raise ThresholdError(f"--beta: found {arguments.beta}, expected a number above 0")
    floors = _floors(arguments, build.recipe.labels.names)
    choice = Choice(arguments.method, arguments.candidates, arguments.beta, floors)
    target, variant = _target(arguments), _variant(arguments, build)
    answered = _answered(build)
    dev, test = answered[variant].scored["dev"], answered[variant].scored["test"]
    limits = choose(dev, choice)
    print(threshold_compare.table(variant, threshold_compare.methods(dev, test, choice)))
    _print_own(answered, choice)
    print(f"\n{variant}, {choice.name}, on dev:")
    print("\n".join(_chosen_rows(dev, limits.tolist())))
    chosen = dict(zip(dev.labels, limits.tolist(), strict=True))
    write_text(target, json.dumps(chosen, indent=2, ensure_ascii=False) + "\n")
    print(f"\n  thresholds {variant:<9}{choice.name}; written to {target}")


def _print_own(answered: dict[str, Answered], choice: Choice) -> None:
    """Say whether each variant but the first wants thresholds of its own; floors are left out."""
    from dataclasses import replace

    from verify.quality import threshold_compare
    from verify.quality.threshold_methods import choose

    choice = replace(choice, floors=None)
    first, *others = answered.values()
    for one in others:
        limits = [choose(which.scored["dev"], choice) for which in (one, first)]
        found = threshold_compare.own(one.scored["test"], *limits)
        print(threshold_compare.own_line(one.variant, first.variant, found))
