"""`python -m graphs STAGE RECIPE BUILD IN OUT`: one stage of the build, printed step by step."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import onnx_ir as ir
import typer
from rich.console import Console

from core import recipe
from core.build import plan_file
from core.build.facts import EncoderInfo
from core.contract import TEXT_TOKENIZER_FILE
from core.disk.files import replacing, sha256_file, write_text
from core.errors import GraphError, ToolchainError
from graphs import pipeline
from graphs.edit.files import load as load_graph
from graphs.head import files
from graphs.job import Job

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    stage: Annotated[str, typer.Argument(help=f"one of {', '.join(pipeline.STAGES)}")],
    recipe_folder: Path,
    build_folder: Path,
    source: Path,
    target: Path,
    given_plan: Annotated[Path | None, typer.Option("--plan", help="for int8: quantization.json")] = None,
) -> None:
    """Run one stage of the graph pipeline on SOURCE and write TARGET."""
    console = Console(highlight=False, soft_wrap=True)
    try:
        if stage not in pipeline.STAGES:
            raise GraphError(f"stage {stage!r}: expected one of {', '.join(pipeline.STAGES)}")
        job = Job(
            recipe.load(recipe_folder),
            EncoderInfo.read(build_folder / "encoder.json"),
            files.read(build_folder),
            plan_file.read(given_plan) if given_plan else None,
            load_graph(build_folder / TEXT_TOKENIZER_FILE) if stage == "text" else None,
        )
        for name, counts, rewritten in pipeline.run(load_graph(source), job, stage):
            done = ", ".join(f"{count} {what}" for what, count in counts.items())
            if not any(counts.values()):
                done += " (nothing to do)"
            console.print(
                f"  {stage:<9}{name:<11}{done}; {sum(1 for _ in rewritten.graph.all_nodes())} nodes"
            )
        with replacing(target) as temporary:
            ir.save(rewritten, temporary)
            if given_plan and job.plan:
                used = plan_file.summary(job.plan, sha256_file(given_plan))
                write_text(build_folder / plan_file.USED_FILE, used)
    except ToolchainError as error:
        Console(stderr=True, highlight=False, soft_wrap=True).print(f"error: {error}", markup=False)
        raise typer.Exit(1) from error


if __name__ == "__main__":
    app()
