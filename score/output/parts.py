"""The finished parts of an output, kept beside it until all are there.

`OUTPUT.parts/` holds parts and `progress.json`, which lists those that count, in order, and the job they are
of. A part is moved into place whole and then listed, so that a kill at any moment leaves a list that is
true; what is not in the list is written again.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa

from core.disk.files import write_text
from core.errors import ScoreError
from core.untrusted import json_file
from score.output import formats

PROGRESS_FILE = "progress.json"
_LOCK_FILE = ".lock"
_UNFINISHED = "unfinished"


def folder_of(output: Path) -> Path:
    """Return where the parts of an output lie."""
    return output.with_name(f"{output.name}.parts")


class Parts:
    """The output of one run, or of one that goes on."""

    def __init__(self, output: Path, kind: str, job: dict[str, Any], schema: pa.Schema) -> None:
        """Name the output; `job` is what a resumed run must share with the interrupted one."""
        self._output, self._kind, self._job, self._schema = output, kind, job, schema
        self.folder = folder_of(output)
        self._listed: list[dict[str, Any]] = []
        self._writer: formats.Writer | None = None
        self._rows = 0
        self._lock = -1
        # A folder that this run was refused holds another run's work.
        self._ours = False

    @property
    def rows(self) -> int:
        """The rows of the finished parts."""
        return sum(part["rows"] for part in self._listed)

    def open(self, resume: bool) -> None:
        """Take the folder for this run alone.

        Raises:
            ScoreError: another run has it, or an interrupted run's parts are there and are of another job,
                or `resume` is not asked for.
        """
        progress = self.folder / PROGRESS_FILE
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.folder / _LOCK_FILE, os.O_CREAT | os.O_RDWR)
        except OSError as error:
            raise ScoreError(f"{self.folder}: cannot be written: {error.strerror}") from error
        try:
            # The kernel lets go of it however the process ends.
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ScoreError(f"{self.folder}: another run is writing {self._output}") from error
        if progress.is_file():
            self._read(progress, resume)
        self._remove_unlisted()
        self._ours = True
        self._list()

    def _read(self, progress: Path, resume: bool) -> None:
        try:
            found = json_file.read(progress, ScoreError)
            job, listed = found["job"], found["parts"]
            rows = sum(part["rows"] for part in listed)
        except (KeyError, TypeError) as error:
            raise ScoreError(f"{progress}: not the progress of a run: {error}; remove the folder") from error
        if not listed:
            return
        if not resume:
            raise ScoreError(
                f"{self.folder}: an interrupted run left {rows} scored rows; "
                "go on with --resume, or remove the folder to start again"
            )
        # As JSON has them: tuples are lists there.
        expected = json.loads(json.dumps(self._job))
        for key in sorted(expected.keys() | job.keys()):
            if job.get(key) != expected.get(key):
                raise ScoreError(
                    f"{progress}: {key} is not the interrupted run's: found {expected.get(key)}, "
                    f"expected {job.get(key)}; start it as before, or remove the folder"
                )
        for part in listed:
            if not (self.folder / part["file"]).is_file():
                raise ScoreError(
                    f"{self.folder / part['file']}: a finished part is missing; remove the folder"
                )
        self._listed = listed

    def _remove_unlisted(self) -> None:
        keep = {part["file"] for part in self._listed} | {_LOCK_FILE, PROGRESS_FILE}
        for path in self.folder.iterdir():
            if path.name not in keep:
                path.unlink()

    def _list(self) -> None:
        content = {"job": self._job, "parts": self._listed}
        write_text(self.folder / PROGRESS_FILE, json.dumps(content, indent=1, ensure_ascii=False) + "\n")

    def append(self, table: pa.Table) -> None:
        """Add one scored window."""
        if self._writer is None:
            self._writer = formats.part(self._kind, self.folder / _UNFINISHED, self._schema)
        self._writer.write(table)
        self._rows += len(table)

    def commit(self) -> None:
        """Make what was appended since the last time a finished part."""
        if self._writer is None:
            return
        self._writer.close()
        name = f"part-{len(self._listed):06}.{self._kind}"
        (self.folder / _UNFINISHED).replace(self.folder / name)
        self._listed.append({"file": name, "rows": self._rows})
        self._list()
        self._writer, self._rows = None, 0

    def finish(self) -> None:
        """Join the parts into the output, which appears whole, and remove them."""
        self.commit()
        joined = self.folder / _UNFINISHED
        formats.join(self._kind, [self.folder / part["file"] for part in self._listed], joined, self._schema)
        joined.replace(self._output)
        # First: without the list, what a kill leaves of the folder is no interrupted run.
        (self.folder / PROGRESS_FILE).unlink()
        shutil.rmtree(self.folder)

    def close(self) -> None:
        """Leave the finished parts to a later run; without any, leave nothing."""
        if self._writer is not None:
            self._writer.close()
            (self.folder / _UNFINISHED).unlink(missing_ok=True)
        if self._lock >= 0:
            if self._ours and not self._listed:
                shutil.rmtree(self.folder, ignore_errors=True)
            os.close(self._lock)
