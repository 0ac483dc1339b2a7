"""Keep the finished segments of an output beside it until all are there.

`OUTPUT.parts/` holds the segments and `progress.json`, which lists those that count, in order, and the job
they belong to. A segment is moved into place whole and then listed, so that a kill at any moment leaves a
list that is true; what is not in the list is written again.
"""

from __future__ import annotations

import json
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
from filelock import FileLock, Timeout

from core.disk.files import UNFINISHED, sync
from core.errors import ScoreError
from score.input.files import Form
from score.output import formats, progress
from score.output.progress import PROGRESS_FILE, Segment

_LOCK_FILE = ".lock"
_UNFINISHED = "unfinished"
# All that a run makes in its folder.
_OURS = re.compile(
    rf"{re.escape(_LOCK_FILE)}|{_UNFINISHED}|{re.escape(PROGRESS_FILE)}|part-\d{{6,}}\.[a-z]+"
    rf"|\.{re.escape(PROGRESS_FILE)}\..*{re.escape(UNFINISHED)}"
)


def folder_of(output: Path) -> Path:
    """Return where the segments of an output lie."""
    return output.with_name(f"{output.name}.parts")


class Segments:
    """The output of one run, or of an interrupted run that is resumed."""

    def __init__(self, output: Path, form: Form, job: dict[str, Any], schema: pa.Schema) -> None:
        """Name the output; `job` is what a resumed run must share with the interrupted one."""
        self._output, self._form, self._job, self._schema = output, form, job, schema
        self.folder = folder_of(output)
        self._finished: list[Segment] = []
        self._writer: formats.SegmentWriter | None = None
        self._rows = 0
        # The kernel releases it however the process ends.
        self._lock = FileLock(self.folder / _LOCK_FILE, blocking=False)
        # A folder that this run was refused holds another run's work.
        self._ours = False

    @property
    def rows(self) -> int:
        """The rows of the finished segments."""
        return sum(segment.rows for segment in self._finished)

    def _check_ours(self) -> None:
        """Refuse a folder that holds anything else: what is not listed in it is removed."""
        if self.folder.is_symlink() or not self.folder.is_dir():
            raise ScoreError(f"{self.folder}: found a link or a file, expected this output's own folder")
        for path in self.folder.iterdir():
            if path.is_symlink() or path.is_dir() or not _OURS.fullmatch(path.name):
                raise ScoreError(f"{path}: is nothing that a run made; move it, or name another output")

    def open(self, resume: bool) -> None:
        """Take the folder for this run alone.

        Raises:
            ScoreError: another run has it, or an interrupted run's segments are there and belong to another
                job or changed, or `resume` was not requested; or it holds what no run made.
        """
        try:
            with suppress(FileExistsError):
                self.folder.mkdir(parents=True)
            self._check_ours()
            self._lock.acquire()
        except Timeout as error:
            raise ScoreError(f"{self.folder}: another run is writing {self._output}") from error
        except OSError as error:
            raise ScoreError(f"{self.folder}: cannot be written: {error.strerror}") from error
        if (self.folder / PROGRESS_FILE).exists():
            self._read(resume)
        self._ours = True
        self._remove_unlisted()
        self._list()

    def _read(self, resume: bool) -> None:
        job, listed = progress.read(self.folder, self._form.kind)
        if not listed:
            return
        if not resume:
            rows = sum(segment.rows for segment in listed)
            raise ScoreError(
                f"{self.folder}: an interrupted run left {rows} scored rows; "
                "continue with --resume, or remove the folder to start again"
            )
        # As JSON has them: tuples are lists there.
        now = json.loads(json.dumps(self._job))
        for key in sorted(now.keys() | job.keys()):
            if job.get(key) != now.get(key):
                differs = progress.difference(now.get(key), job.get(key))
                raise ScoreError(
                    f"{self.folder / PROGRESS_FILE}: {key} is not the interrupted run's: {differs}; "
                    "start it as before, or remove the folder"
                )
        for segment in listed:
            segment.check(self.folder)
        self._finished = listed

    def _remove_unlisted(self) -> None:
        keep = {segment.file for segment in self._finished} | {_LOCK_FILE, PROGRESS_FILE}
        for path in self.folder.iterdir():
            if path.name not in keep:
                path.unlink()

    def _list(self) -> None:
        progress.write(self.folder, self._job, self._finished)

    def append(self, table: pa.Table) -> None:
        """Add one scored window."""
        if self._writer is None:
            self._writer = formats.SegmentWriter(self._form, self.folder / _UNFINISHED, self._schema)
        self._writer.write(table)
        self._rows += len(table)

    def commit(self) -> None:
        """Make a finished segment of what was appended since the last one."""
        if self._writer is None:
            return
        written = self._writer.close()
        name = progress.name_of(len(self._finished), self._form.kind)
        (self.folder / _UNFINISHED).replace(self.folder / name)
        # Its bytes and its name are on the disk before the list says so.
        sync(self.folder)
        self._finished.append(Segment(name, self._rows, *written))
        self._list()
        self._writer, self._rows = None, 0

    def finish(self) -> None:
        """Join the segments into the output, which appears whole, and remove them.

        Raises:
            ScoreError: a segment is no longer what it was.
        """
        self.commit()
        for segment in self._finished:
            segment.check(self.folder)
        joined = self.folder / _UNFINISHED
        paths = [self.folder / segment.file for segment in self._finished]
        formats.join(self._form, paths, joined, self._schema)
        sync(joined)
        joined.replace(self._output)
        sync(self._output.parent)
        # First: without the list, what a kill leaves of the folder is no interrupted run.
        (self.folder / PROGRESS_FILE).unlink()
        self._remove_folder()

    def _remove_folder(self) -> None:
        self._ours = False
        # Windows removes no file that is open; elsewhere nobody may take the lock before the folder is gone.
        if sys.platform == "win32":
            self._lock.release()
        for path in self.folder.iterdir():
            if _OURS.fullmatch(path.name):
                path.unlink()
        self.folder.rmdir()

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
