"""Put an artifact's F1 beside what other models reach on the same texts, as they published it."""

from __future__ import annotations

from typing import Any

from verify import readable
from verify.report.overview import Overview

COLUMNS = ("model", "macro-F1", "file", "thresholds")
INTRODUCTION = (
    "Macro-F1 on the same texts, as published. Thresholds that were chosen on those texts flatter a figure."
)
OURS = "this one"


def rows(described: dict[str, Any], seen: Overview, chosen: str | None) -> list[tuple[str, str, str, str]]:
    """Return a row a model, the highest F1 first, as plain text; none where no others are known.

    Args:
        described: what the manifest says.
        seen: its overview.
        chosen: how the artifact's own thresholds were chosen, if that is known.
    """
    others, found = (described["data"] or {}).get("others") or [], seen.evaluation
    if not others or found is None or "accuracy" in found:
        return []
    figure, size = readable.score(found["macro"]["f1"]), readable.size(seen.rows[0].size)
    listed = [(OURS, figure, size, chosen or "as packaged")]
    listed += [
        (row["model"], row["f1"], row["size"] or readable.UNKNOWN, row["thresholds"]) for row in others
    ]
    return sorted(listed, key=lambda row: -float(row[1]))
