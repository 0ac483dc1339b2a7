"""`bench.json` as plots: throughput beside the floor, and the cost of a token. SVG text."""

from __future__ import annotations

import io
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

# Okabe and Ito's colours, which colour-blind readers tell apart; a contender keeps its own.
_COLOURS = {
    "torch": "#999999",
    "card": "#E69F00",
    "fused": "#56B4E9",
    "optimum": "#D55E00",
    "fp32": "#0072B2",
    "int8": "#009E73",
}
_MARKERS = {"fused": "s", "optimum": "^", "fp32": "D", "int8": "o"}
_FLOOR_STYLES = {"int8": ":", "fp32": "--"}


def _svg(figure: Figure) -> str:
    """Return a figure as SVG, the same text for the same numbers."""
    with mpl.rc_context({"svg.hashsalt": "bench", "svg.fonttype": "none"}):
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
        return text.getvalue()


def throughput_figure(found: dict[str, Any]) -> Figure:
    """Draw texts/s: a panel a number of threads, a group a batch size; whiskers are min and max."""
    plan, names = found["plan"], list(found["contenders"])
    figure = Figure(figsize=(5.4 * len(plan["threads"]), 4.2), layout="constrained")
    panels = figure.subplots(1, len(plan["threads"]), squeeze=False)[0]
    width = 0.8 / len(names)
    for panel, threads in zip(panels, plan["threads"], strict=True):
        rows = {(r["contender"], r["batch"]): r for r in found["measurements"] if r["threads"] == threads}
        for index, name in enumerate(names):
            spreads = [rows[name, batch]["texts_per_second"] for batch in plan["sizes"]]
            medians = [one["median"] for one in spreads]
            below = [one["median"] - one["low"] for one in spreads]
            above = [one["high"] - one["median"] for one in spreads]
            places = [group + (index - (len(names) - 1) / 2) * width for group in range(len(spreads))]
            panel.bar(
                places,
                medians,
                width * 0.92,
                yerr=[below, above],
                color=_COLOURS[name],
                error_kw={"elinewidth": 0.8, "ecolor": "#333333"},
                label=name,
            )
        for floor in (row for row in found["floors"] if row["threads"] == threads):
            panel.axhline(
                floor["texts_per_second"],
                color="#333333",
                linestyle=_FLOOR_STYLES[floor["precision"]],
                linewidth=1,
                label=f"floor, {floor['precision']}",
            )
        panel.set_xticks(range(len(plan["sizes"])), [f"batch {size}" for size in plan["sizes"]])
        panel.set_title(f"{threads} thread{'' if threads == 1 else 's'}")
        panel.spines[["top", "right"]].set_visible(False)
        panel.grid(axis="y", linewidth=0.3)
        panel.set_axisbelow(True)
    panels[0].set_ylabel("texts/s, natural order")
    figure.legend(*panels[-1].get_legend_handles_labels(), loc="outside right upper", frameon=False)
    figure.suptitle(found["recipe"])
    return figure


def cost_figure(found: dict[str, Any]) -> Figure:
    """Draw microseconds a real token against sequence length and against batch size."""
    figure = Figure(figsize=(10.8, 4.2), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    axes = (
        ("by_length", "tokens a text (batch 8, equal lengths)"),
        ("by_batch", "batch size (mixed lengths, 4 to 128 tokens)"),
    )
    for panel, (key, title) in zip(panels, axes, strict=True):
        for name, rows in found[key].items():
            at = [row["at"] for row in rows]
            costs = [row["us_per_token"] for row in rows]
            panel.fill_between(
                at, [c["low"] for c in costs], [c["high"] for c in costs], color=_COLOURS[name], alpha=0.15
            )
            medians = [c["median"] for c in costs]
            panel.plot(at, medians, color=_COLOURS[name], marker=_MARKERS[name], markersize=4, label=name)
        panel.set_xscale("log", base=2)
        panel.set_xticks(at, [str(point) for point in at])
        panel.set_xlabel(title)
        panel.spines[["top", "right"]].set_visible(False)
        panel.grid(linewidth=0.3)
    # After both are drawn: they share the axis, and setting it ends its growing.
    panels[0].set_ylim(bottom=0)
    panels[0].set_ylabel("µs a real token")
    panels[1].legend(frameon=False)
    threads = max(found["plan"]["threads"])
    figure.suptitle(f"{found['recipe']}, {threads} thread{'' if threads == 1 else 's'}")
    return figure


def throughput(found: dict[str, Any]) -> str:
    """Return `throughput_figure` as SVG."""
    return _svg(throughput_figure(found))


def cost(found: dict[str, Any]) -> str:
    """Return `cost_figure` as SVG."""
    return _svg(cost_figure(found))
