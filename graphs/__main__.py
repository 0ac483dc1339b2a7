"""`python -m graphs`: from the exported encoder and head to finished graphs, printed step by step."""

from __future__ import annotations

import core.start  # isort: skip  # noqa: F401  what fails or is interrupted from here on ends in a line

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import onnx_ir as ir

from core.build import inputs, stage
from core.build import plan as plan_file
from core.cli import CommandLine
from core.contract import TEXT_FILE, TEXT_TOKENIZER_FILE, VARIANT_FILES
from core.disk.files import replacing, write_text
from core.errors import GraphError
from graphs import pipeline
from graphs.edit.files import load
from graphs.job import Job, open_job
from graphs.tokenizer import build as tokenizer

# Graphs on the way, which a build keeps in memory: command to the stages that lead to it.
_ON_THE_WAY = {
    "merge": ("merge",),
    "pack": ("merge", "pack"),
    "simplify": ("merge", "pack", "simplify"),
}
_ON_THE_WAY_FILES = {"merge": "merged.onnx", "pack": "packed.onnx", "simplify": "simplified.onnx"}


def _run(model: ir.Model, job: Job, name: str) -> None:
    for step, counts in pipeline.run(model, job, name):
        done = ", ".join(f"{count} {what}" for what, count in counts.items())
        if not any(counts.values()):
            done += " (nothing to do)"
        nodes = sum(1 for _ in model.graph.all_nodes())
        print(f"  {name:<9}{step:<11}{done}; {nodes} nodes", flush=True)


def _save(model: ir.Model, target: Path) -> None:
    with replacing(target) as temporary:
        ir.save(model, temporary)


def _after(job: Job, build: Path, stages: Sequence[str]) -> ir.Model:
    """Return the encoder's graph after some stages."""
    model = load(build / "encoder.onnx")
    for name in stages:
        _run(model, job, name)
    return model


def _plan(job: Job, simplified: ir.Model, recipe_folder: Path, build: Path) -> Path:
    """Return the path of the recipe's own plan, or of a searched one."""
    path = inputs.replayed_plan(recipe_folder)
    if path is None:
        from graphs.search import search

        path = build / plan_file.PLAN_FILE
        search.run(job, simplified, build)
    return path


def _guarded(job: Job, simplified: ir.Model, path: Path) -> Job:
    """Return the job of the variant `guarded`.

    Raises:
        GraphError: its plan has not a margin for each label.
    """
    plan, labels = plan_file.read(path), job.head.info.labels
    if len(plan.margins) != len(labels):
        found = f"found {len(plan.margins)}, expected one for each of {len(labels)} labels"
        raise GraphError(f"{path}: margins: {found}; `make search` chooses them")
    return replace(job, plan=plan, exact=simplified)


def _build(arguments: argparse.Namespace) -> None:
    build = arguments.build

    def work() -> None:
        inputs.record_plan(build, arguments.recipe)
        job = open_job(arguments.recipe, build)
        simplified = _after(job, build, _ON_THE_WAY["simplify"])
        finished, jobs = {}, {"fp32": job}
        if "int8" in job.recipe.variants:
            path = _plan(job, simplified, arguments.recipe, build)
            jobs["int8"], own = replace(job, plan=plan_file.read(path)), None
            if "guarded" in job.recipe.variants:
                own = inputs.guarded_plan(path.parent)
                jobs["guarded"] = _guarded(job, simplified, own)
            write_text(build / plan_file.USED_FILE, plan_file.summary(path, own))
        for variant in job.recipe.variants:
            finished[variant] = simplified.clone()
            _run(finished[variant], jobs[variant], variant)
            _save(finished[variant], build / Path(VARIANT_FILES[variant]).name)
        if job.recipe.text is not None:
            front = tokenizer.tokenizing(tokenizer.read(build / "assets" / "tokenizer.json"))
            print(f"  text     tokenizer  {len(front.graph)} nodes", flush=True)
            _save(front, build / TEXT_TOKENIZER_FILE)
            model = finished[job.recipe.text.variant]
            _run(model, replace(job, front=front), "text")
            _save(model, build / Path(TEXT_FILE).name)

    stage.run(arguments.recipe, build, stage.GRAPHS, work)


def _write(name: str, arguments: argparse.Namespace) -> None:
    job = open_job(arguments.recipe, arguments.build)
    model = _after(job, arguments.build, _ON_THE_WAY[name])
    _save(model, arguments.build / _ON_THE_WAY_FILES[name])


def _search(arguments: argparse.Namespace) -> None:
    from graphs.search import search

    folder, build = arguments.recipe, arguments.build
    job = open_job(folder, build)
    search.run(job, _after(job, build, _ON_THE_WAY["simplify"]), build)
    for name in (plan_file.PLAN_FILE, plan_file.GUARDED_FILE):
        if (build / name).is_file():
            plan_file.write(folder / name, plan_file.read(build / name))
        else:
            plan_file.remove(folder / name)


def _margins(arguments: argparse.Namespace) -> None:
    from graphs.search import search

    folder, build = arguments.recipe, arguments.build
    path = inputs.guarded_plan(folder)
    plan, job = plan_file.read(path), open_job(folder, build)
    chosen = search.margins(job, _after(job, build, _ON_THE_WAY["simplify"]), build, plan)
    plan_file.write(path, chosen)
    print(f"  margins  {chosen.record[plan_file.GUARD_STATED]}", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status, of a failure with one line that says why."""
    line = CommandLine("python -m graphs", "From the exported encoder and head to finished graphs.")
    line.add(
        "build", _build, "write the graphs of all variants, and the one that takes texts", "recipe", "build"
    )
    for name in _ON_THE_WAY:
        line.add(name, partial(_write, name), f"write the graph after {name}, to look at", "recipe", "build")
    line.add(
        "search", _search, "search for the recipe's plan of int8, and put it in its folder", "recipe", "build"
    )
    line.add(
        "margins",
        _margins,
        "choose the margins of guarded anew, and put them into the recipe's plan",
        "recipe",
        "build",
    )
    return line.main(arguments)


if __name__ == "__main__":
    sys.exit(main())
