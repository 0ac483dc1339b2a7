"""What a report is made from: a manifest's content, an evaluation and a benchmark, made by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

LABELS = ["admiration", "joy", '<img src="http://evil.example/x.png">\x00']
THRESHOLDS = dict(zip(LABELS, [0.3, 0.5, 0.25], strict=True))
VARIANTS = {"fp32": "onnx/model.onnx", "int8": "onnx/model_quantized.onnx"}
HASHES = {"fp32": "1" * 64, "int8": "2" * 64}
SIZES = {"fp32": 90_000_000, "int8": 24_000_000}
GUARD = {
    "margins": dict(zip(LABELS, [0.125, 0.25, 0.0625], strict=True)),
    "max_flip_rate": 0.0005,
    "bound": "of 5000 texts at most 2 decided otherwise than in float32, at 95% confidence; flip rate "
    "0.00014 expected, 0.00016 at most; on 5426 texts of Own",
}
SPEED = {
    "cpu": "A <CPU>",
    "cpus": 2,
    "data": "Own test",
    "threads": 2,
    "batch": 32,
    "one": {"threads": 1, "batch": 1},
    "variants": {
        "int8": {"sha256": HASHES["int8"], "texts_per_second": 583.4, "latency_ms": 4.25},
        "fp32": {"sha256": HASHES["fp32"], "texts_per_second": 229.0, "latency_ms": None},
    },
}
SCRIPT = "</td><script src=http://evil.example>alert(1)</script>"
HOSTILE = SCRIPT + " \x00\x1b\x9b \u202e {{ name }} &amp; 'x' \"y\""


def change(text: str, label: str, flipped: bool, place: int = 0) -> dict[str, Any]:
    return {
        "text": text[:200],
        "place": place,
        "characters": len(text),
        "natural": place == 0,
        "label": label,
        "probability": 0.3125,
        "reference": 0.25,
        "threshold": 0.3,
        "flipped": flipped,
    }


def variant(name: str) -> dict[str, Any]:
    quantized = name != "fp32"
    worst = [change(HOSTILE, LABELS[2], True), change("long " * 200, "joy", False, 1)]
    return {
        "name": name,
        "file": VARIANTS[name],
        "size": SIZES[name],
        "tolerance": {"max_probability_error": 1e-5 if quantized else 0.0625, "max_flip_rate": None},
        "quantization": "static int8" if quantized else "none",
        "pairs": {
            "weights": 24 if quantized else 0,
            "examined": 5_419_008 if quantized else 0,
            "can_saturate": 0,
            "unproven": 0,
        },
        "onnxruntime": "1.17",
        "guard": None,
        "parity": {
            "texts": 119,
            "saturated_logits": 160,
            "max_logit_error": 0.5,
            "mean_logit_error": 0.01,
            "max_probability_error": 0.0625,
            "mean_probability_error": 0.001,
            "batch_error": 2e-7,
            "batch_flips": 0,
            "flips": dict(zip(LABELS, [0, 3 if quantized else 0, 0], strict=True)),
            "flip_rate": 0.025,
            "worst": worst,
            "worst_flips": worst[:1],
        },
    }


def described() -> dict[str, Any]:
    return {
        "name": "tiny",
        "toolchain_version": "0.1.0",
        "recipe": {"name": "tiny", "contract": "stacked"},
        "recipe_sha256": "a" * 64,
        "encoder": {
            "source": "path:../<encoder>",
            "revision": None,
            "sha256": {"model.safetensors": "b" * 64},
            "layers": 2,
            "hidden": 24,
            "pooling": "cls",
            "normalize": True,
            "max_length": 64,
        },
        "head": {
            "source": "path:../head",
            "revision": "main",
            "sha256": {"model.onnx": "c" * 64},
            "kind": "linear",
            "reason": "every label is a plain logistic regression",
            "problem_type": "multi_label_classification",
            "columns_from": "names",
            "fold_error": 1e-7,
            "labels": LABELS,
            "thresholds": THRESHOLDS,
        },
        "variants": [variant("fp32"), variant("int8")],
        "ran_on": {"cpu": "x86_64 <Vendor> avx2 avx512_vnni", "onnxruntime": "1.32.0"},
        "text": None,
        "evaluations": [],
        "speed": None,
        "data": None,
        "examples": {
            "texts": ["I love this!", "Why would anyone do that?"],
            "answers": {VARIANTS["int8"]: [{"joy": 0.9}, {}], "onnx/model_text.onnx": [{"joy": 0.91}, {}]},
        },
        "reference": "general texts",
        "quantization": {"modes": {"layer_0_up": "int8x2"}},
        "dependencies": {"numpy": "2.4.6"},
    }


def guarded() -> dict[str, Any]:
    """A manifest's content with a third variant, whose graph is int8's file."""
    content = described()
    content["variants"].append(variant("int8") | {"name": "guarded", "guard": GUARD})
    return content


def files() -> dict[str, Any]:
    found = {VARIANTS[name]: {"sha256": HASHES[name], "size": SIZES[name]} for name in VARIANTS}
    return {**found, "thresholds.json": {"sha256": "d" * 64, "size": 99}}


def _protocol(split: str, shift: float) -> dict[str, Any]:
    figures = {"precision": 0.5 + shift, "recall": 0.25 + shift, "f1": 0.375 + shift}
    rows = [{"label": label, "threshold": 0.3, **figures, "support": 7} for label in LABELS]
    return {"split": split, "labels": rows, "macro": figures, "weighted": figures}


def evaluate(build: Path, hashes: dict[str, str] = HASHES, **arrays: Any) -> dict[str, Any]:
    """Write an evaluation of 200 random texts to `build`; return its arrays."""
    random = np.random.default_rng(0)
    truth = random.random((200, len(LABELS))) < 0.2
    found: dict[str, Any] = {"truth/test": truth, "truth/dev": truth}
    for name in hashes:
        noisy = np.clip(0.4 * truth + 0.6 * random.random(truth.shape), 0, 1).astype(np.float32)
        found |= {f"{name}/{split}/probabilities": noisy for split in ("test", "dev")}
    published = {
        "source": "the head's card <https://example.org>",
        "note": HOSTILE,
        "encoder": "BAAI/bge-small-en",
        "averages": {
            "test-tuned": {"macro": {"precision": 0.25, "recall": 0.25, "f1": 0.25}, "weighted": None},
            "at-0.5": {"macro": {"precision": 0.5, "recall": 0.125, "f1": 0.25}, "weighted": None},
        },
        "labels": [
            {"label": "joy", "threshold": 0.4, "precision": None, "recall": 0.5, "f1": 0.125, "support": 7}
        ],
    }
    rows = [
        {
            "variant": name,
            "sha256": digest,
            "seconds": 1.5,
            "protocols": {
                "dev-tuned": _protocol("test", 0.0),
                "test-tuned": _protocol("test", 0.125),
                "at-0.5": _protocol("test", -0.125),
                "dev": _protocol("dev", 0.0625),
            },
        }
        for name, digest in hashes.items()
    ]
    content = {"recipe": "tiny", "encoder": "x", "data": "Own", "published": published, "variants": rows}
    build.mkdir(parents=True, exist_ok=True)
    (build / "evaluation.json").write_text(json.dumps(content))
    np.savez(build / "evaluation.npz", **{**found, **arrays})
    return found


def benchmark(build: Path, sizes: dict[str, int] = SIZES) -> None:
    def spread(median: float) -> dict[str, float]:
        return {"median": median, "low": median / 2, "high": median * 2}

    # The last is a peer: another model, without an error and a share of the floor.
    names = ["torch", "fp32", "int8", "roberta-base"]
    rows = [
        {
            "threads": 1,
            "batch": batch,
            "contender": name,
            "texts_per_second": spread(100.0 * (index + 1)),
            "latency_ms": {"p50": 10.0, "p99": 20.0},
            **({} if name == "roberta-base" else {"share_of_floor": spread(0.25)}),
            "times_as_fast_as": {other: spread(1.5) for other in names if other != name},
        }
        for batch in (1, 32)
        for index, name in enumerate(names)
    ]
    machine = {"cpu": "A <CPU>", "logical_cpus": 2, "int8_instructions": [], "cpus_busy_elsewhere": 0.01}
    processes = [
        {
            "contender": name,
            "threads": 1,
            "size_bytes": sizes.get(name, 5),
            "load_seconds": 0.5,
            "peak_memory_bytes": 5_000_000,
            "max_probability_error": None if name == "roberta-base" else 0.0,
        }
        for name in names
    ]
    content = {
        "data": "Own test",
        "machine": machine,
        "plan": {"rounds": 7, "texts": 64, "threads": [1], "sizes": [1, 32]},
        "contenders": {name: {"way": f"{name}'s way", "precision": "fp32"} for name in names},
        "measurements": rows,
        "processes": processes,
    }
    (build / "bench").mkdir(parents=True, exist_ok=True)
    (build / "bench" / "bench.json").write_text(json.dumps(content))
