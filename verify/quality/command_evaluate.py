"""`python -m verify evaluate`: a build's graphs on GoEmotions, beside the published card."""

from __future__ import annotations

import argparse
import json


def run(arguments: argparse.Namespace) -> None:
    """Evaluate; write `evaluation.json` and `evaluation.npz`; print the tables.

    Raises:
        ToolchainError: a file of the build or the data is missing or wrong.
    """
    from rich.console import Console

    from core import recipe
    from core.build.facts import EncoderInfo
    from core.disk.files import write_text
    from verify.build import EVALUATION_FILE, Build
    from verify.quality import answers, evaluation_table, protocols, published

    build = Build(recipe.load(arguments.recipe), arguments.recipe, arguments.build)
    encoder = EncoderInfo.read(build.folder / "encoder.json").source
    found = answers.run(build, list(build.recipe.variants), Console(stderr=True))
    evaluation = protocols.evaluation(
        build.recipe.name,
        encoder,
        published.table(),
        [protocols.measure(one) for one in found],
    )
    answers.write(build.folder / answers.ANSWERS_FILE, found)
    text = json.dumps(evaluation, indent=2, ensure_ascii=False) + "\n"
    write_text(build.folder / EVALUATION_FILE, text)
    packaged = dict(zip(build.recipe.labels.names, found[0].thresholds.tolist(), strict=True))
    print(evaluation_table.text(evaluation, published.remarks(encoder, packaged)))
