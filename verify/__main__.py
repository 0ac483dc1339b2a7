"""`python -m verify`: measure finished graphs, and release them.

`artifact`, `parity` and `compare` need numpy, onnxruntime and tokenizers alone, so that they run in
anybody's CI; what the other commands need is imported inside them.
"""

from __future__ import annotations

import core.start  # isort: skip  # noqa: F401  what fails or is interrupted from here on ends in a line

import argparse
import sys
from collections.abc import Sequence

from core.artifact import manifest
from core.cli import CommandLine
from verify.compare import compare
from verify.load import soak, stress
from verify.parity import check
from verify.proof import prove
from verify.quality import evaluate, thresholds
from verify.report import summary


def _gate(arguments: argparse.Namespace) -> None:
    from core.build import inputs, stage
    from verify.build import FIGURES_FILE, Build
    from verify.parity import gate

    def work() -> None:
        build = Build.of(arguments)
        data = build.data
        evaluate.forget_other_data(build)
        gate.run(build)
        if build.recipe.text is not None:
            gate.run_text(build, build.recipe.text.variant)
        files, variable = (data.paths("dev", "test"), data.table.folder_variable) if data else ([], None)
        # The release reads it, too.
        inputs.record_data(arguments.build, [*files, build.recipe_folder / FIGURES_FILE], variable)

    stage.run(arguments.recipe, arguments.build, stage.VERIFIED, work)


def _release(arguments: argparse.Namespace) -> None:
    from core.build import stage
    from verify.build import Build
    from verify.report.release import release

    stage.run_alone(
        arguments.recipe,
        arguments.build,
        arguments.target / manifest.MANIFEST_FILE,
        lambda: release(Build.of(arguments), arguments.target),
    )


def _keep(arguments: argparse.Namespace) -> None:
    from verify.build import Build
    from verify.report import measured

    measured.keep(Build.of(arguments))


def _summary(arguments: argparse.Namespace) -> None:
    print(f"\n{summary.text(arguments.artifact)}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status, of a failure with one line that says why."""
    line = CommandLine("python -m verify", "Measure finished graphs, and release them.")
    prove.add_options(line.add("artifact", prove.run, "prove an artifact", "artifact"))
    prove.add_sign_options(line.add("sign", prove.sign, "sign an artifact", "artifact"))
    check.add_options(line.add("parity", check.run, "an artifact against a reference", "artifact"))
    compare.add_options(
        line.add("compare", compare.run, "two artifacts, or variants of one, side by side", "a")
    )
    stress.add_options(line.add("stress", stress.run, "random batches and odd input", "artifact"))
    soak.add_options(line.add("soak", soak.run, "many threads on one session", "artifact"))
    line.add("gate", _gate, "a build's graphs against its reference and tokenizer", "recipe", "build")
    line.add("evaluate", evaluate.run, "a build's graphs on the recipe's data", "recipe", "build")
    tune = line.add("thresholds", thresholds.run, "choose thresholds on dev", "recipe", "build")
    thresholds.add_arguments(tune)
    line.add("figures", _keep, "keep a build's F1 and speed in its recipe", "recipe", "build")
    line.add("release", _release, "write the artifact", "recipe", "build", "target")
    line.add("summary", _summary, "print what an artifact holds", "artifact")
    return line.main(arguments)


if __name__ == "__main__":
    sys.exit(main())
