"""Every exception that a user may see, one class a kind of thing that is wrong. Standard library only.

Each has the exit status that a command ends with: 2, or 1 where it is the verdict that was asked for.
"""

from __future__ import annotations

_LONGEST_MESSAGE = 4_000
_CUT = " … "


def _cut(text: str) -> str:
    """Leave out the middle of a long text: its ends say where, and what was expected."""
    half = (_LONGEST_MESSAGE - len(_CUT)) // 2
    return text if len(text) <= _LONGEST_MESSAGE else text[:half] + _CUT + text[-half:]


class ToolchainError(Exception):
    """Something the user can mend; the message names the place, what was found and expected.

    It is one line of printable characters, and no long one, whatever an untrusted file or a library puts
    into it.
    """

    status = 2

    def __str__(self) -> str:
        text = _cut(" ".join(filter(None, map(str.strip, super().__str__().split("\n")))))
        return _cut("".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text))


class RecipeError(ToolchainError):
    """A recipe that cannot be read, or contradicts itself."""


class InstallError(ToolchainError):
    """An environment that cannot be made, or for which something has to be chosen first."""


class SourceError(ToolchainError):
    """A source that cannot be reached, or a file of it that is missing or has the wrong hash."""


class CheckpointError(ToolchainError):
    """An encoder checkpoint that is damaged, unsupported, or contradicts the recipe."""


class HeadError(ToolchainError):
    """A classifier head or its thresholds that do not fit the format or the recipe."""


class DatasetError(ToolchainError):
    """A data set file that is missing or is not the published one."""


class GraphError(ToolchainError):
    """A graph that a rewrite cannot take, or that a rewrite left illegal."""


class ArtifactError(ToolchainError):
    """An artifact, or a part of one, that cannot be read or written."""


class GateError(ToolchainError):
    """A verdict: what was looked at is over a tolerance, or is not what it says it is."""

    status = 1


class ThresholdError(ToolchainError):
    """A choice of thresholds that is not one, that no threshold meets, or that may not be written there."""


class BenchmarkError(ToolchainError):
    """A contender of the benchmark that cannot be run, dies, or answers with something else."""


class ScoreError(ToolchainError):
    """A corpus that cannot be scored, an output that cannot be written, or a run that may not go on."""


class PublishError(ToolchainError):
    """An artifact that the hub does not take, or that cannot be brought there."""


class ServerError(ToolchainError):
    """A server that cannot listen where it should, or an option of one that is none."""


class RequestError(ToolchainError):
    """A request to a server that it does not answer: not of its form, or over a limit."""
