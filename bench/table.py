"""Markdown tables of figures with their spread."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence[str]], words: int = 1) -> list[str]:
    """Return a table whose first `words` columns are words, and the others numbers."""
    rule = ["---"] * words + ["---:"] * (len(header) - words)
    return [f"| {' | '.join(row)} |" for row in (header, rule, *rows)]


def figure(value: float) -> str:
    """Three significant digits, without an exponent."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def spread(found: Mapping[str, float]) -> str:
    """Return a median with the lowest and the highest in brackets."""
    return f"{figure(found['median'])} ({figure(found['low'])}–{figure(found['high'])})"


def percent(found: Mapping[str, float]) -> str:
    """Return a share's `spread` in whole percents."""
    return f"{found['median']:.0%} ({found['low']:.0%}–{found['high']:.0%})"
