"""`bench.json` as plots: throughput beside the floor, and the cost of a token. SVG text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from graphs.search.frontier import svg
from verify import readable

# Okabe and Ito's colours, which colour-blind readers tell apart; a contender keeps its own.
_COLOURS = {
    "torch": "#999999",
    "card": "#E69F00",
    "fused": "#56B4E9",
    "optimum": "#D55E00",
    "fp32": "#0072B2",
    "int8": "#009E73",
    "guarded": "#CC79A7",
    "optimum-divided": "#F0B080",
    "int8-divided": "#80CEB9",
    "nncf": "#F0E442",
    "minilmv2-l6": "#000000",
    "roberta-base": "#666666",
}
_PEER, _DARK = "#DDDDDD", "#333333"
_MARKERS = {"fused": "s", "optimum": "^", "fp32": "D", "int8": "o", "guarded": "v"}
_FLOOR_STYLES = {"int8": ":", "fp32": "--"}
_BAR_GROUP = 0.8


def _spreads(spreads: Iterable[dict[str, float]]) -> NDArray[np.float64]:
    """Return three rows: the lowest, the medians and the highest."""
    return np.array([[each["low"], each["median"], each["high"]] for each in spreads]).T


def _tidy(panel: Axes) -> None:
    panel.spines[["top", "right"]].set_visible(False)
    panel.grid(axis="y", linewidth=0.3)
    panel.set_axisbelow(True)


def _draw_throughput(panel: Axes, result: dict[str, Any], threads: int) -> None:
    sizes = result["plan"]["sizes"]
    rows = {(r["contender"], r["batch"]): r for r in result["measurements"] if r["threads"] == threads}
    names = [name for name in result["contenders"] if (name, sizes[0]) in rows]
    width = _BAR_GROUP / len(names)
    for index, name in enumerate(names):
        low, median, high = _spreads(rows[name, batch]["texts_per_second"] for batch in sizes)
        places = np.arange(len(sizes)) + (index - (len(names) - 1) / 2) * width
        panel.bar(places, median, width * 0.92, color=_COLOURS.get(name, _PEER), label=name)
        panel.errorbar(
            places, median, [median - low, high - median], fmt="none", elinewidth=0.8, ecolor=_DARK
        )
    for floor in (row for row in result["floors"] if row["threads"] == threads):
        style, name = _FLOOR_STYLES[floor["precision"]], f"floor, {floor['precision']}"
        panel.axhline(floor["texts_per_second"], color=_DARK, linestyle=style, linewidth=1, label=name)
    panel.set_xticks(range(len(sizes)), [f"batch {size}" for size in sizes])
    panel.set_title(readable.threads(threads))
    _tidy(panel)


def throughput(result: dict[str, Any]) -> str:
    """Draw texts/s: a panel per number of threads, a group per batch size; whiskers are min and max."""
    numbers = result["plan"]["threads"]
    figure = Figure(figsize=(5.4 * len(numbers), 4.2), layout="constrained")
    panels = figure.subplots(1, len(numbers), squeeze=False)[0]
    for panel, threads in zip(panels, numbers, strict=True):
        _draw_throughput(panel, result, threads)
    panels[0].set_ylabel("texts/s, natural order")
    # The last has the most threads, and so everybody.
    figure.legend(*panels[-1].get_legend_handles_labels(), loc="outside right upper", frameon=False)
    figure.suptitle(result["recipe"])
    return svg(figure)


def cost(result: dict[str, Any]) -> str:
    """Draw microseconds per real token against sequence length and against batch size."""
    figure = Figure(figsize=(10.8, 4.2), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    axes = (
        ("by_length", "tokens a text (batch 8, equal lengths)"),
        ("by_batch", "batch size (mixed lengths, 4 to 128 tokens)"),
    )
    for panel, (key, title) in zip(panels, axes, strict=True):
        for name, rows in result[key].items():
            at, colour = [row["at"] for row in rows], _COLOURS[name]
            low, median, high = _spreads(row["us_per_token"] for row in rows)
            panel.fill_between(at, low, high, color=colour, alpha=0.15)
            panel.plot(at, median, color=colour, marker=_MARKERS[name], markersize=4, label=name)
        panel.set_xscale("log", base=2)
        panel.set_xticks(at, [str(point) for point in at])
        panel.set_xlabel(title)
        _tidy(panel)
    # After both are drawn: they share the axis, and setting it ends its growing.
    panels[0].set_ylim(bottom=0)
    panels[0].set_ylabel("µs a real token")
    panels[1].legend(frameon=False)
    figure.suptitle(f"{result['recipe']}, {readable.threads(max(result['plan']['threads']))}")
    return svg(figure)
