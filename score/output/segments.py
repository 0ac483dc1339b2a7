"""Keep the finished segments of an output beside it until all are there.

`OUTPUT.parts/` holds the segments and `progress.json`, which lists those that count, in order, and the job
they belong to. A segment is moved into place whole and then listed, so that a kill at any moment leaves a
list that is true; what is not in the list is written again.
"""

from __future__ import annotations

import json
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
from filelock import FileLock, Timeout

from core.disk.files import write_json
from core.errors import ScoreError
from core.untrusted import json_file
from score.output import formats

PROGRESS_FILE = "progress.json"
_LOCK_FILE = ".lock"
_UNFINISHED = "unfinished"


def folder_of(output: Path) -> Path:
    """Return where the segments of an output lie."""
    return output.with_name(f"{output.name}.parts")


class Segments:
    """The output of one run, or of an interrupted run that is resumed."""

    def __init__(self, output: Path, kind: str, job: dict[str, Any], schema: pa.Schema) -> None:
        """Name the output; `job` is what a resumed run must share with the interrupted one."""
        self._output, self._kind, self._job, self._schema = output, kind, job, schema
        self.folder = folder_of(output)
        self._finished: list[dict[str, Any]] = []
        self._writer: formats.SegmentWriter | None = None
        self._rows = 0
        # The kernel releases it however the process ends.
        self._lock = FileLock(self.folder / _LOCK_FILE, blocking=False)
        # A folder that this run was refused holds another run's work.
        self._ours = False

    @property
    def rows(self) -> int:
        """The rows of the finished segments."""
        return sum(segment["rows"] for segment in self._finished)

    def open(self, resume: bool) -> None:
        """Take the folder for this run alone.

        Raises:
            ScoreError: another run has it, or an interrupted run's segments are there and belong to another
                job, or `resume` was not requested.
        """
        progress = self.folder / PROGRESS_FILE
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
        except Timeout as error:
            raise ScoreError(f"{self.folder}: another run is writing {self._output}") from error
        except OSError as error:
            raise ScoreError(f"{self.folder}: cannot be written: {error.strerror}") from error
        if progress.is_file():
            self._read(progress, resume)
        self._remove_unlisted()
        self._ours = True
        self._list()

    def _read(self, progress: Path, resume: bool) -> None:
        try:
            content = json_file.read(progress, ScoreError)
            job, listed = content["job"], content["parts"]
            rows = sum(segment["rows"] for segment in listed)
        except (KeyError, TypeError) as error:
            raise ScoreError(f"{progress}: not the progress of a run: {error}; remove the folder") from error
        if not listed:
            return
        if not resume:
            raise ScoreError(
                f"{self.folder}: an interrupted run left {rows} scored rows; "
                "continue with --resume, or remove the folder to start again"
            )
        # As JSON has them: tuples are lists there.
        expected = json.loads(json.dumps(self._job))
        for key in sorted(expected.keys() | job.keys()):
            if job.get(key) != expected.get(key):
                raise ScoreError(
                    f"{progress}: {key} is not the interrupted run's: found {expected.get(key)}, "
                    f"expected {job.get(key)}; start it as before, or remove the folder"
                )
        for path in (self.folder / segment["file"] for segment in listed):
            if not path.is_file():
                raise ScoreError(f"{path}: a finished segment is missing; remove the folder")
        self._finished = listed

    def _remove_unlisted(self) -> None:
        keep = {segment["file"] for segment in self._finished} | {_LOCK_FILE, PROGRESS_FILE}
        for path in self.folder.iterdir():
            if path.name not in keep:
                path.unlink()

    def _list(self) -> None:
        write_json(self.folder / PROGRESS_FILE, {"job": self._job, "parts": self._finished})

    def append(self, table: pa.Table) -> None:
        """Add one scored window."""
        if self._writer is None:
            self._writer = formats.SegmentWriter(self._kind, self.folder / _UNFINISHED, self._schema)
        self._writer.write(table)
        self._rows += len(table)

    def commit(self) -> None:
        """Make a finished segment of what was appended since the last one."""
        if self._writer is None:
            return
        self._writer.close()
        name = f"part-{len(self._finished):06}.{self._kind}"
        (self.folder / _UNFINISHED).replace(self.folder / name)
        self._finished.append({"file": name, "rows": self._rows})
        self._list()
        self._writer, self._rows = None, 0

    def finish(self) -> None:
        """Join the segments into the output, which appears whole, and remove them."""
        self.commit()
        joined = self.folder / _UNFINISHED
        paths = [self.folder / segment["file"] for segment in self._finished]
        formats.join(self._kind, paths, joined, self._schema)
        joined.replace(self._output)
        # First: without the list, what a kill leaves of the folder is no interrupted run.
        (self.folder / PROGRESS_FILE).unlink()
        self._remove_folder()

    def _remove_folder(self) -> None:
        self._ours = False
        # Windows removes no file that is open; elsewhere nobody may take the lock before the folder is gone.
        if sys.platform == "win32":
            self._lock.release()
        shutil.rmtree(self.folder)

    def close(self) -> None:
        """Leave the finished segments to a later run; without any, leave nothing."""
        if self._writer is not None:
            # On a disk that is full it fails again; the error that matters is on its way.
            with suppress(OSError, pa.ArrowException):
                self._writer.close()
            (self.folder / _UNFINISHED).unlink(missing_ok=True)
        if self._ours and not self._finished:
            with suppress(OSError):
                self._remove_folder()
        self._lock.release()
