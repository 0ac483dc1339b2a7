"""The frontier is written as JSON, a table and a plot, the same each time."""

from __future__ import annotations

import json

from graphs.search import frontier


def test_the_frontier_is_written_as_table_and_plot(tmp_path):
    points = [
        frontier.Point("one", 0.08, 0.06, 0.1, 10**6, 1.0, 900.0, False),
        frontier.Point("two", 0.04, 0.03, 0.05, 2 * 10**6, 1.5, 700.0, True),
        frontier.Point("three", 0.02, 0.01, 0.02, 2 * 10**6, 2.2, 400.0, True),
    ]
    frontier.write(tmp_path, points, 0.05)
    table = (tmp_path / "frontier.md").read_text("utf-8")
    assert "| two **chosen** | 0.0400 | 0.0300 | 0.0500 | 2.0 MB | 1.50 | 700 |" in table
    assert len(json.loads((tmp_path / "frontier.json").read_text())) == 3
    first = (tmp_path / "frontier.svg").read_bytes()
    assert b"<svg" in first
    frontier.write(tmp_path, points, 0.05)
    assert (tmp_path / "frontier.svg").read_bytes() == first
