"""Describe one run of the scorer, as its user asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from core.artifact.manifest import MANIFEST_FILE, TOKENIZER_FILE
from core.contract import VARIANT_FILES
from core.cpu import usable_cpus
from core.errors import ScoreError
from score.input.files import STDIN, Form, form

STDOUT = "-"
# What standard output may be in; a file's ending says it of a file.
STREAMED = {name: Path(f"{STDOUT}.{name}") for name in ("jsonl", "csv", "tsv")}
# The one character that is not typed as it is.
_TAB = "\\t"


def _may_delimit(character: str) -> bool:
    """Whether a character is in no number, needs no quotes by itself, and is no control but the tab."""
    return character == "\t" or (
        character.isprintable() and not character.isalnum() and character not in "\"'+-."
    )


@dataclass(frozen=True)
class Options:
    """One run: `input` is a file, a folder, a glob, or `-` for standard input, one text a line.

    `output` is a file, or `-` for standard output, in the form that `to` names. `delimiter` is what is
    between two fields of CSV. `threads` 0 takes every CPU this process may use; `checkpoint_seconds` is how
    much work a kill may cost. `address` is the Ray cluster to join; without it RAY_ADDRESS, or else a local
    one that is started. `prefix` begins the names of the columns that are added.
    """

    artifact: Path
    input: str
    output: Path
    text_column: str = "text"
    probabilities: bool = False
    variant: str = "int8"
    resume: bool = False
    engine: str = "local"
    threads: int = 0
    checkpoint_seconds: float = 30.0
    address: str | None = None
    prefix: str = ""
    delimiter: str = ","
    to: str | None = None

    @property
    def graph(self) -> Path:
        """The graph of the variant."""
        return self.artifact / VARIANT_FILES[self.variant]

    @property
    def answering(self) -> tuple[str, str]:
        """The names of the files that answer: the graph's and the tokenizer's."""
        return VARIANT_FILES[self.variant], TOKENIZER_FILE

    @property
    def callers(self) -> int:
        """How many threads run the graph at the same time."""
        return self.threads or usable_cpus()

    @property
    def is_streamed(self) -> bool:
        """Whether the output is standard output."""
        return str(self.output) == STDOUT

    @property
    def between(self) -> str:
        """What is between two fields of CSV, itself."""
        return "\t" if self.delimiter == _TAB else self.delimiter

    @property
    def form(self) -> Form:
        """The form of the output.

        Raises:
            ScoreError: its ending is none that is written.
        """
        path = STREAMED[self.to or "jsonl"] if self.is_streamed else self.output
        found = form(path, self.between)
        if found.kind == "lines":
            raise ScoreError(
                f"{path}: found .txt, expected .parquet, .csv, .tsv or .jsonl, which have columns"
            )
        return found

    def check(self) -> None:
        """Refuse what cannot be run.

        Raises:
            ScoreError: the artifact lacks a file, or a number is out of range.
        """
        if self.variant not in VARIANT_FILES:
            raise ScoreError(f"--variant {self.variant}: expected one of {', '.join(VARIANT_FILES)}")
        for path in (self.artifact / MANIFEST_FILE, self.artifact / TOKENIZER_FILE, self.graph):
            if not path.is_file():
                raise ScoreError(f"{path}: no such file; expected an artifact with variant {self.variant}")
        if not self.input:
            raise ScoreError("INPUT: found nothing, expected a file, a folder, a glob or -")
        for option, name in (("--text-column", self.text_column), ("--prefix", self.prefix)):
            if name.encode("utf-8", "replace").decode() != name:
                raise ScoreError(f"{option} {name!r}: expected UTF-8, as names of columns are")
        if not self.is_streamed and self.to is not None:
            raise ScoreError(
                f"--to {self.to}: {self.output} says it by its ending; expected with the output -"
            )
        if self.to not in (None, *STREAMED):
            raise ScoreError(f"--to {self.to}: expected one of {', '.join(STREAMED)}")
        if self.is_streamed and self.resume:
            raise ScoreError("--resume: of what went to standard output nothing is kept; name a file")
        if len(self.between) != 1 or not self.between.isascii() or not _may_delimit(self.between):
            expected = "expected one of ASCII's, such as ';' or '\\t', no letter, digit, quote, sign or point"
            raise ScoreError(f"--delimiter {self.delimiter!r}: {expected}")
        if self.output.is_dir():
            raise ScoreError(f"{self.output}: is a folder, expected a file's name")
        if self.threads < 0:
            raise ScoreError(f"--threads {self.threads}: expected 1 or more, or 0 for every CPU")
        if not self.checkpoint_seconds >= 0:
            raise ScoreError(f"--checkpoint-seconds {self.checkpoint_seconds}: expected 0 or more")
        if self.resume and self.input == STDIN:
            raise ScoreError("--resume: standard input cannot be read again; give files")
