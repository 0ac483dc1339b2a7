"""OpenVINO with NNCF's int8, on the same encoder and head: in an environment of its own, `.venv-nncf`.

The fused and merged graph is quantized as NNCF advises for transformers (`ModelType.TRANSFORMER`: SmoothQuant
and bias correction, on 300 texts), and compiled for latency, in float32 elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.contenders import environment
from bench.contenders.protocol import Model, TokenIds, started
from core import decisions
from core.build.facts import HeadInfo
from core.contract import PROBABILITIES
from core.errors import BenchmarkError
from core.runtime import feeds, pad

_TEXTS, _BATCH = 300, 32


def quantize(source: Path, target: Path, given: str) -> None:
    """Write a graph in NNCF's int8, as OpenVINO's own format; runs in that environment.

    `given` are the texts' token ids, in JSON.
    """
    import nncf
    import openvino

    texts = [feeds(*pad([row])) for row in json.loads(given)]
    model = openvino.Core().read_model(source)
    dataset = nncf.Dataset(texts)
    made = nncf.quantize(model, dataset, model_type=nncf.ModelType.TRANSFORMER, subset_size=len(texts))
    target.parent.mkdir(parents=True, exist_ok=True)
    openvino.save_model(made, target, compress_to_fp16=False)


def load(file: Path, threads: int) -> Model:
    """Open what `quantize` wrote; runs in that environment."""
    import nncf
    import openvino

    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "f32",
    }
    request = openvino.Core().compile_model(file, "CPU", settings).create_infer_request()

    def run(ids: TokenIds) -> NDArray[np.float32]:
        request.infer(feeds(*pad(ids)))
        probabilities: NDArray[np.float32] = request.get_tensor(PROBABILITIES).data.copy()
        return probabilities

    versions = {"openvino": openvino.__version__, "nncf": nncf.__version__}
    return Model(run, [file, file.with_suffix(".bin")], versions)


def write(python: Path, source: Path, target: Path, ids: TokenIds) -> None:
    """Quantize in that environment, on some of the texts.

    Raises:
        BenchmarkError: it fails; the message ends with the last line it wrote.
    """
    line = [str(python.absolute()), "-m", "bench", "nncf-quantize", str(source), str(target)]
    chosen = list(ids[:: max(1, len(ids) // _TEXTS)][:_TEXTS])
    environment.output(python, line, BenchmarkError, given=json.dumps(chosen), said=f"{python}: NNCF: ")


def flip_rates(
    commands: dict[str, list[str]], ids: TokenIds, info: HeadInfo, reference: str
) -> dict[str, float]:
    """Return the share of texts that each process decides otherwise than the one called `reference`.

    Args:
        commands: name → command line of a process that speaks the benchmark's protocol.
        ids: token ids of texts, in their order.
        info: the head, whose thresholds decide.
        reference: one of the names.

    Raises:
        BenchmarkError: a process fails.
    """
    thresholds = decisions.threshold_vector(info.thresholds, info.labels)
    decided: dict[str, NDArray[Any]] = {}
    for name, line in commands.items():
        with started({name: line}, environment.TIMEOUT_SECONDS) as workers:
            answers: list[Sequence[float]] = []
            for start in range(0, len(ids), _BATCH):
                answers += workers[name].probabilities(ids[start : start + _BATCH])
        decided[name] = decisions.decide(np.array(answers, np.float32), thresholds, info.problem_type)
    return {name: float((own != decided[reference]).any(axis=1).mean()) for name, own in decided.items()}


def make(recipe: Path, build: Path, python: Path) -> str:
    """Write the contender of a build; say what it decides otherwise than `fp32`, and what `int8` does.

    Raises:
        RecipeError, DatasetError: the recipe has no data, or they cannot be had.
        BenchmarkError: NNCF fails, or a process does.
    """
    # That environment has neither what reads recipes nor what tokenizes.
    from bench.contenders import contenders
    from core import recipe as recipes
    from core.artifact import tokens

    data = recipes.required_data(recipes.load(recipe), recipe, build)
    tokenizer = build / "assets" / "tokenizer.json"
    train, test = (tokens.encode(tokenizer, data.read(split).texts) for split in ("train", "test"))
    own = contenders.nncf(build, python)
    write(python, build / "merged.onnx", own.files[0], train)
    ran = [each for each in contenders.contenders(recipe, build) if each.name in ("fp32", "int8")]
    commands = {each.name: each.command(2) for each in (*ran, own)}
    rates = flip_rates(commands, test, HeadInfo.read(build / "head.json"), "fp32")
    said = ", ".join(f"{name} {rate:.4f}" for name, rate in rates.items() if name != "fp32")
    return f"flip rates against fp32, {len(test)} test texts: {said}"
