"""Write scored windows to standard output as they come, for the next command of a pipe."""

from __future__ import annotations

import sys
from typing import BinaryIO

import pyarrow as pa

from core.errors import ScoreError
from score.input.files import Form
from score.output import formats


class Stream:
    """The output of one run, of which nothing is kept: the same calls as `segments.Segments`."""

    rows = 0

    def __init__(self, form: Form, schema: pa.Schema) -> None:
        """Name the form and the columns."""
        self._form, self._schema = form, schema

    @staticmethod
    def _file() -> BinaryIO:
        if sys.stdout is None:
            raise ScoreError("-: standard output is closed, expected it open for the rows")
        return sys.stdout.buffer

    def open(self, _: bool) -> None:
        """Write what comes before the rows.

        Raises:
            ScoreError: standard output is closed.
        """
        self._file().write(formats.header(self._form, self._schema))

    def append(self, table: pa.Table) -> None:
        """Write one scored window, which whoever reads has at once."""
        self._file().write(formats.encode(self._form, table))
        self._file().flush()

    def commit(self) -> None:
        """Keep nothing."""

    def finish(self) -> None:
        """Write what is held back: of a corpus without rows the names of the columns."""
        self._file().flush()

    def close(self) -> None:
        """Leave standard output as it is."""
