"""Figures as Markdown: `bench.json` by the template beside this file, and tables of single measurements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bench.measure.cache_line import NO_SHARED_CACHE_NS
from bench.measure.cores import Scaling, amdahl
from bench.measure.profile import KINDS, Profile
from core.timing import Spread
from verify import readable

# Beyond this many CPUs of somebody else's work, a run says more of them than of the contenders.
_QUIET_CPUS = 0.1
# Machines that people have and this was not run on: a speedup there is Amdahl's, on paper.
_PAPER_CPUS = (8, 64)


def figure(value: float) -> str:
    """Return three significant digits, without an exponent."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def spread(values: Mapping[str, float], unit: float = 1.0) -> str:
    """Return a median with the lowest and the highest in brackets, each times `unit`."""
    median, low, high = (figure(values[name] * unit) for name in ("median", "low", "high"))
    return f"{median} ({low}–{high})"


def percent(share: Mapping[str, float]) -> str:
    """Return a share's `spread` in whole percents."""
    return f"{share['median']:.0%} ({share['low']:.0%}–{share['high']:.0%})"


def markdown(result: dict[str, Any]) -> str:
    """Return the report of the content of `bench.json`."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "figure": figure,
        "spread": spread,
        "percent": percent,
        "threads": readable.threads,
    }
    template = environment.get_template("bench.md.j2")
    return template.render(bench=result, no_shared_cache_ns=NO_SHARED_CACHE_NS, quiet_cpus=_QUIET_CPUS)


def tokenizers(times: Mapping[int, Mapping[str, Spread]]) -> str:
    """Return a table of microseconds per text: batch size → tokenizer → times."""
    names = list(next(iter(times.values())))
    lines = [f"| µs a text | {' | '.join(names)} |", "| --- |" + " ---: |" * len(names)]
    for size, by_name in times.items():
        lines.append(f"| batch {size} | {' | '.join(spread(asdict(each)) for each in by_name.values())} |")
    return "\n".join(lines)


def profiles(measured: Mapping[tuple[int, int], Profile]) -> str:
    """Return a table of where a run's time goes: (threads, batch size) → profile; microseconds and shares."""
    heads = [f"batch {size}, {readable.threads(threads)}" for threads, size in measured]
    lines = [f"| µs a run | {' | '.join(heads)} |", "| --- |" + " ---: |" * len(heads)]

    def row(name: str, values: list[float]) -> None:
        cells = [f"{figure(v)} ({v / p.wall:.0%})" for v, p in zip(values, measured.values(), strict=True)]
        lines.append(f"| {name} | {' | '.join(cells)} |")

    for kind in KINDS:
        if any(each.kinds[kind] for each in measured.values()):
            row(kind, [each.kinds[kind] for each in measured.values()])
    row("dispatch", [each.dispatch for each in measured.values()])
    row("a call", [each.call for each in measured.values()])
    row("not explained", [each.rest for each in measured.values()])
    row("in all", [each.wall for each in measured.values()])
    lines.append(f"| operators run | {' | '.join(figure(each.nodes) for each in measured.values())} |")
    return "\n".join(lines)


def scalings(measured: Mapping[int, Scaling]) -> str:
    """Return a table of what more threads and sessions give: batch size → scaling."""
    heads = ["a session of {0} threads", "{0} sessions of one thread", "serial share of a session"]
    lines = []
    for size, found in measured.items():
        given = [spread(asdict(each)) for each in (found.threads, found.sessions)]
        paper = (f"{amdahl(max(found.serial_share.median, 0.0), cpus):.1f}" for cpus in _PAPER_CPUS)
        cells = [*given, percent(asdict(found.serial_share)), *paper]
        lines.append(f"| {size} | {' | '.join(cells)} |")
    names = [head.format(next(iter(measured.values())).cpus) for head in heads]
    names += [f"on {cpus} CPUs, by that share" for cpus in _PAPER_CPUS]
    top = f"| batch | {' | '.join(names)} |\n| ---: |" + " ---: |" * len(names)
    return "\n".join(["Times the texts/s of one session of one thread:", "", top, *lines])
