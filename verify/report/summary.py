"""`python -m verify summary`: the variants of an artifact as a table for a terminal."""

from __future__ import annotations

from pathlib import Path

from core.artifact import manifest
from verify import readable
from verify.escape import line
from verify.report import overview
from verify.report.words import notes


def text(folder: Path) -> str:
    """Return the table of an artifact's graphs, the first to take first, and what its columns are.

    Raises:
        ArtifactError: the folder's manifest is missing, or not an artifact's.
    """
    described = manifest.read(folder)
    # What its readers check of a manifest that somebody else may have made: its variants, and this.
    manifest.text_graph(folder)
    with manifest.fields_of(folder / manifest.MANIFEST_FILE):
        table = overview.of(described)
        columns = {
            "variant": [row.name for row in table.rows],
            "size": [readable.size(row.size) for row in table.rows],
            table.figure_name: [readable.score(row.figure) for row in table.rows],
            "other labels": [table.changed(row) for row in table.rows],
            "texts/s": [readable.rate(row.texts_per_second) for row in table.rows],
            "file": [line(str(folder / row.file)) for row in table.rows],
        }
        shown = {name: cells for name, cells in columns.items() if set(cells) != {readable.UNKNOWN}}
        widths = {name: max(map(len, [name, *cells])) for name, cells in shown.items()}
        rows = [list(shown), *zip(*shown.values(), strict=True)]
        words = ("variant", "file")
        lines = [
            "  ".join(
                cell.ljust(width) if name in words else cell.rjust(width)
                for (name, width), cell in zip(widths.items(), row, strict=True)
            ).rstrip()
            for row in rows
        ]
        said = notes.notes(table, described)
    return "\n".join([*lines, "", *map(line, said)])
