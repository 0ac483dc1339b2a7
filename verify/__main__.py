"""`python -m verify`: measure finished graphs, and release them.

`artifact`, `parity` and `compare` need numpy, onnxruntime and tokenizers alone, so that they run in
anybody's CI; hence argparse, and the imports inside the other commands.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.artifact import manifest
from core.cli import exit_code
from verify.compare import command_compare
from verify.parity import command_parity
from verify.proof import command_artifact
from verify.quality import command_evaluate, command_thresholds

if TYPE_CHECKING:
    from verify.build import Build


def _build(arguments: argparse.Namespace) -> Build:
    from core import recipe
    from verify.build import Build

    return Build(recipe.load(arguments.recipe), arguments.recipe, arguments.build)


def _gate(arguments: argparse.Namespace) -> None:
    from verify.parity import gate

    gate.run(_build(arguments))


def _text(arguments: argparse.Namespace) -> None:
    from verify.parity import text as command_text

    command_text.run(_build(arguments))


def _release(arguments: argparse.Namespace) -> None:
    from verify.report.release import release

    release(_build(arguments), arguments.target)


def _summary(arguments: argparse.Namespace) -> None:
    print(f"\n{'variant':<9}{'size':>9}  {'max Δp':>8}  {'flip rate':>9}  file")
    for variant in manifest.variants(arguments.artifact):
        print(
            f"{variant.name:<9}{variant.size_bytes / 1e6:>6.1f} MB  "
            f"{variant.max_probability_error:>8.1e}  {variant.flip_rate:>9.4f}  {variant.file}"
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m verify", description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(required=True)

    def command(name: str, run: Any, text: str, *positionals: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(run=run)
        for positional in positionals:
            added.add_argument(positional, type=Path)
        return added

    command_artifact.add_options(command("artifact", command_artifact.run, "prove an artifact", "artifact"))
    command_artifact.add_sign_options(command("sign", command_artifact.sign, "sign an artifact", "artifact"))
    command_parity.add_options(
        command("parity", command_parity.run, "an artifact against a reference", "artifact")
    )
    command_compare.add_options(
        command("compare", command_compare.run, "two artifacts side by side", "a", "b")
    )
    command("gate", _gate, "a build's graphs against its reference", "recipe", "build")
    command("text", _text, "a build's graph that takes texts", "recipe", "build")
    command("evaluate", command_evaluate.run, "a build's graphs on GoEmotions", "recipe", "build")
    tune = command("thresholds", command_thresholds.run, "choose thresholds on dev", "recipe", "build")
    command_thresholds.add_arguments(tune)
    command("release", _release, "write the artifact", "recipe", "build", "target")
    command("summary", _summary, "print what an artifact holds", "artifact")
    return parser


def main() -> int:
    """Run a command; 1 where it fails, with one line that says why."""
    arguments = _parser().parse_args()
    return exit_code(arguments.run, arguments)


if __name__ == "__main__":
    sys.exit(main())
