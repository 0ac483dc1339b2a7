"""`bench.json` as Markdown: what a reader of numbers wants to see, and what they mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.measure.phase import lines as phase_lines
from bench.table import figure, percent, spread, table

_BASELINES = ("torch", "optimum")
# Beyond this many CPUs of somebody else's work, a run says more of them than of the contenders.
_QUIET_CPUS = 0.1


def _measurement(row: dict[str, Any], baselines: Sequence[str]) -> list[str]:
    versus = [row["times_as_fast_as"].get(name) for name in baselines]
    return [
        row["contender"],
        spread(row["texts_per_second"]),
        figure(row["tokens_per_second"]["median"]),
        figure(row["latency_ms"]["p50"]),
        figure(row["latency_ms"]["p99"]),
        *("" if one is None else spread(one) for one in versus),
        percent(row["share_of_floor"]),
        percent(row["share_of_best_floor"]),
    ]


def _peer(found: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in found["versions"].items())
    if found["way"] == "optimum-onnx":
        return f"`optimum` was quantized by optimum-onnx itself ({versions})."
    return (
        f"`optimum` is onnxruntime's dynamic quantization with the preset's settings ({versions}), "
        f"because optimum itself could not be had: {found['reason']}."
    )


def _elsewhere(machine: dict[str, Any]) -> str:
    busy = machine["cpus_busy_elsewhere"]
    if busy is None:
        return ""
    noisy = busy > _QUIET_CPUS
    return (
        f"Others kept {busy:.2f} CPUs busy meanwhile{': run it again on a quiet machine' if noisy else ''}. "
    )


def _measurements(found: dict[str, Any]) -> list[str]:
    baselines = [name for name in _BASELINES if name in found["contenders"]]
    lines = []
    for threads in found["plan"]["threads"]:
        for batch in found["plan"]["sizes"]:
            rows = [r for r in found["measurements"] if (r["threads"], r["batch"]) == (threads, batch)]
            plural = "" if threads == 1 else "s"
            lines += ["", f"## Batch {batch}, {threads} thread{plural} ({rows[0]['calls']} calls each)", ""]
            header = ["contender", "texts/s", "tokens/s", "p50 ms", "p99 ms"]
            header += [*(f"× {name}" for name in baselines), "of its floor", "of the best floor"]
            lines += table(header, (_measurement(row, baselines) for row in rows))
            for one in found["phases"]:
                if (one["threads"], one["batch"]) == (threads, batch):
                    lines += phase_lines(one, baselines[-1])
    return lines


def _processes(found: dict[str, Any]) -> list[str]:
    header = ["contender", "threads", "file", "load", "start", "peak memory", "max Δp from torch"]
    rows = (
        [
            row["contender"],
            str(row["threads"]),
            f"{row['size_bytes'] / 1e6:.1f} MB",
            f"{row['load_seconds'] * 1e3:,.0f} ms",
            f"{row['start_seconds']:.1f} s",
            f"{row['peak_memory_bytes'] / 1e6:,.0f} MB",
            f"{row['max_probability_error']:.1e}",
        ]
        for row in found["processes"]
    )
    return ["", "## Files, load time, memory", "", *table(header, rows)]


def _floors(found: dict[str, Any]) -> list[str]:
    header = ["products", "threads", "GMAC/s in a round", "peak GMAC/s", "floor, texts/s"]
    rows = (
        [
            row["precision"],
            str(row["threads"]),
            spread({key: rate / 1e9 for key, rate in row["peak_macs_per_second"].items()}),
            figure(row["peak_macs_per_second"]["high"] / 1e9),
            figure(row["texts_per_second"]),
        ]
        for row in found["floors"]
    )
    said = (
        f"A text of {found['average_tokens']:.1f} real tokens needs {found['macs_per_text'] / 1e9:.3f} GMAC; "
        "the floor is the fastest bare matrix product of a contender's precision in any round. "
        "`of its floor` divides a contender's rate in a round by the fastest of these products in the same "
        "round, what the machine could do just then; `of the best floor` divides it by the fastest of all "
        "rounds and batch sizes with this number of threads."
    )
    return ["", "## The machine's floor", "", said, "", *table(header, rows)]


def _sweep(found: dict[str, Any], key: str, what: str, title: str) -> list[str]:
    swept = found[key]
    points = [row["at"] for row in next(iter(swept.values()))]
    rows = (
        [name, *(figure(row["us_per_token"]["median"]) for row in costs)] for name, costs in swept.items()
    )
    return ["", f"## {title}", "", *table([what, *map(str, points)], rows)]


def _sweeps(found: dict[str, Any]) -> list[str]:
    def listed(ratios: dict[str, float]) -> str:
        return ", ".join(f"`{name}` {one:.2f}" for name, one in ratios.items())

    flat = listed(found["by_batch_max_over_min"])
    steady = "".join(
        f" Where all a contender's sizes ran with the CPUs {name}: {listed(ratios)}."
        for name, ratios in found["by_batch_max_over_min_by_phase"].items()
    )
    length = "Cost by length: µs a real token, batch 8 of equal lengths"
    batch = "Cost by batch size: µs a real token, mixed lengths of 4 to 128 tokens"
    said = (
        f"Highest over lowest cost of these batch sizes: {flat}. A round's costs of a contender are divided "
        f"by their geometric mean, and a size's cost is the median of that over the rounds.{steady}"
    )
    return [
        *_sweep(found, "by_length", "tokens a text", length),
        *_sweep(found, "by_batch", "batch", batch),
        "",
        said,
    ]


def markdown(found: dict[str, Any]) -> str:
    """Return the report of the content of `bench.json`."""
    machine, plan = found["machine"], found["plan"]
    lines = [
        f"# Benchmark of {found['recipe']}",
        "",
        f"{machine['cpu']}, {machine['logical_cpus']} CPUs "
        f"({', '.join(machine['int8_instructions']) or 'no VNNI'}). "
        f"{found['data']}: {plan['rounds']} rounds of {plan['texts']} texts, all contenders in every round. "
        "Medians of the rounds (lowest–highest); ratios are taken within a round. Padding and inference are "
        f"timed, tokenization is not. {_elsewhere(machine)}"
        f"{_peer(found['optimum'])}",
        "",
        *table(
            ["contender", "precision", "what it is"],
            ([name, one["precision"], one["way"]] for name, one in found["contenders"].items()),
            words=3,
        ),
        *_measurements(found),
        *_floors(found),
        *_processes(found),
    ]
    if "by_length" in found:
        lines += _sweeps(found)
    return "\n".join(lines) + "\n"
