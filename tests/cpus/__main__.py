"""`python -m tests.cpus ARTIFACT RECIPE BUILD`: an artifact's decisions on other processors.

Writes BUILD/cpus/cpus.json, or another folder's of that name, and prints the same as a table.
"""

from __future__ import annotations

import core.start  # isort: skip  # noqa: F401  what fails or is interrupted from here on ends in a line

import argparse
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime

from core import decisions
from core import recipe as recipes
from core.artifact import manifest, tokens
from core.artifact.graph import Graph
from core.build import reference
from core.cli import exit_code, parser
from core.contract import VARIANT_FILES
from core.disk.files import sha256_file, write_json
from core.errors import ToolchainError
from tests.cpus import compare, emulation, floats, inside, kernels

# A text of 512 tokens takes minutes there.
MOST_TOKENS = 128
# So many texts a process: the processes end at about the same time.
TEXTS_A_JOB = 10 * inside.BATCH
HOW = {"alone": "alone", "batches": f"padded in batches of {inside.BATCH}"}


def _texts(artifact: Path, recipe: Path, build: Path, count: int) -> tuple[list[list[int]], str]:
    """Return the ids of the first texts of the test split, else of the reference; and what they are."""
    if count < inside.BATCH:
        raise ToolchainError(f"--texts: found {count}, expected at least {inside.BATCH}, a batch")
    stored = reference.read(artifact / "reference.npz")
    texts, source = stored.texts, f"texts of reference.npz ({stored.source})"
    data = recipes.data_of(recipes.load(recipe), recipe, build)
    if data and data.at_hand("test"):
        texts, source = data.read("test").texts, f"texts of {data.title} test"
    encoded = tokens.encode(artifact / "tokenizer.json", texts[: 2 * count])
    ids = [row for row in encoded if len(row) <= MOST_TOKENS][:count]
    if len(ids) < inside.BATCH:
        expected = f"expected {inside.BATCH} of at most {MOST_TOKENS} tokens"
        raise ToolchainError(f"{artifact}: found {len(ids)} {source}, {expected}")
    return ids, source


def _write_jobs(folder: Path, ids: list[list[int]]) -> list[Path]:
    """Write the texts for several processes; some batch has padding, so that both branches run."""
    paths = []
    for start in range(0, len(ids), TEXTS_A_JOB):
        rows = ids[start : start + TEXTS_A_JOB]
        paths.append(folder / f"ids-{start:05}.npz")
        np.savez(paths[-1], input_ids=np.concatenate(rows), lengths=[len(row) for row in rows])
    lengths = [{len(row) for row in ids[at : at + inside.BATCH]} for at in range(0, len(ids), inside.BATCH)]
    if not any(len(found) > 1 for found in lengths):
        raise ToolchainError(f"{folder}: found no batch with padding, expected texts of different lengths")
    return paths


def _probe(folder: Path, processors: list[emulation.Processor]) -> dict[str, dict[str, object]]:
    """Return what each processor has, which products saturate there, and which floats are not this machine's.

    Raises:
        ToolchainError: one has not the kernels of the processor that it is called by.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (integers, graphs), (given, others) = kernels.write(folder), floats.write(folder)
    np.savez(folder / "inputs.npz", **integers, **given)
    found, expected = {}, {}
    for processor in processors:
        answers = emulation.run(processor, folder / "inputs.npz", folder / "answers.npz", *graphs, *others)
        if processor.saturates is not None:
            kernels.check(processor.name, answers, processor.saturates)
        expected = expected or answers
        found[processor.name] = {
            "features": answers["features"].tolist(),
            "saturating": kernels.saturating(processor.name, answers),
            "floats": floats.different(answers, expected),
        }
    return found


def _sentence(name: str, found: dict[str, object]) -> str:
    saturating = " and ".join(found["saturating"]) or "no operator"
    shares = ", ".join(f"{operator} ({share:.2%})" for operator, share in found["floats"].items())
    return f"{name}: pairs of products saturate in {saturating}; values that differ: {shares or 'none'}"


def _run_all(
    folder: Path,
    graphs: dict[str, Path],
    jobs: list[Path],
    processors: list[emulation.Processor],
    processes: int,
) -> dict[tuple[str, str, str], np.ndarray]:
    """Return probabilities `[n, l]` by processor, variant and `alone` or `batches`."""
    order = [(processor, variant, job) for job in jobs for processor in processors for variant in graphs]

    def run(index: int) -> dict[str, np.ndarray]:
        processor, variant, job = order[index]
        target = folder / f"answers-{index:04}.npz"
        answers = emulation.run(processor, job, target, graphs[variant])
        target.unlink()
        return answers

    parts: dict[tuple[str, str, str], list[np.ndarray]] = {}
    with ThreadPoolExecutor(processes) as pool:
        for (processor, variant, _), answers in zip(order, pool.map(run, range(len(order))), strict=True):
            for how in HOW:
                parts.setdefault((processor.name, variant, how), []).append(answers[how])
    return {key: np.concatenate(arrays) for key, arrays in parts.items()}


def _to_be_had(processors: list[emulation.Processor]) -> tuple[list[emulation.Processor], set[str]]:
    """Return the processors that can be emulated here, and their emulators; say of the others why not."""
    chosen, emulators, skipped = [], set(), {}
    for processor in processors:
        try:
            emulators.add(emulation.emulator(processor.machine))
            chosen.append(processor)
        except LookupError as error:
            skipped.setdefault(str(error), []).append(processor.name)
    for why, names in skipped.items():
        print(f"test-cpus is skipped of {', '.join(names)}: {why}")
    return chosen, emulators


def _run(arguments: argparse.Namespace) -> None:
    chosen, emulators = _to_be_had([one for one in emulation.ALL if one.name in arguments.processors])
    if not chosen:
        return
    began = time.monotonic()
    artifact, folder = arguments.artifact, arguments.build / arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    ids, source = _texts(artifact, arguments.recipe, arguments.build, arguments.texts)
    processors = [emulation.THIS, *chosen]
    probed = _probe(folder / "kernels", processors)
    listed = {variant.name: variant.file for variant in manifest.variants(artifact)}
    if missing := set(arguments.variants or ()) - set(listed):
        raise ToolchainError(f"--variants: found {min(missing)}, expected some of {', '.join(listed)}")
    graphs = {name: file for name, file in listed.items() if name in (arguments.variants or listed)}
    graph = Graph(artifact / VARIANT_FILES["fp32"])
    thresholds = decisions.threshold_vector(graph.thresholds, graph.labels)
    answers = _run_all(folder, graphs, _write_jobs(folder, ids), processors, arguments.processes)
    rows = [(one, variant, how) for one in chosen for variant in graphs for how in HOW]
    found = {
        f"{one.name}, {variant}, {HOW[how]}": compare.difference(
            answers[one.name, variant, how],
            answers[emulation.THIS.name, variant, how],
            thresholds,
            graph.metadata.problem_type,
            compare.allowed_of(variant, one.allowed),
        )
        for one, variant, how in rows
    }
    machine = emulation.describe(set(probed[emulation.THIS.name]["features"]))
    content = {
        "machine": machine,
        "onnxruntime": onnxruntime.__version__,
        "emulator": " and ".join(sorted(set(map(emulation.version, emulators)))),
        "texts": f"{len(ids)} {source}",
        "sha256": {variant: sha256_file(path) for variant, path in graphs.items()},
        "processors": probed,
        "differences": {place: compare.as_json(one) for place, one in found.items()},
    }
    write_json(folder / "cpus.json", content)
    print(
        f"{content['texts']}; against {machine}; {content['emulator']}, onnxruntime {content['onnxruntime']}"
    )
    print(compare.table(found))
    for name, one in probed.items():
        print(_sentence(name, one))
    print(f"{folder / 'cpus.json'}; {time.monotonic() - began:.0f} s")
    compare.check(found)


def main() -> int:
    """Run the command line; 1 where a processor decides otherwise."""
    line = parser("python -m tests.cpus", __doc__.split("\n")[0])
    for name in ("artifact", "recipe", "build"):
        line.add_argument(name, type=Path)
    line.add_argument("--texts", type=int, default=24, help="how many")
    line.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="at a time")
    line.add_argument("--variants", nargs="+", metavar="NAME", help="the artifact's (default: all)")
    line.add_argument("--folder", default="cpus", help="within BUILD")
    names = [one.name for one in emulation.ALL]
    line.add_argument(
        "--processors", nargs="+", choices=names, default=list(emulation.USUAL), help="to emulate"
    )
    return exit_code(_run, line.parse_args())


if __name__ == "__main__":
    sys.exit(main())
