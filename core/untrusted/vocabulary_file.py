"""Say a tokenizer's vocabulary as `vocab.txt` does: a token a line, numbered by line."""

from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer

from core.errors import ToolchainError

VOCABULARY_FILE = "vocab.txt"


def _check_line(token: str, place: str, error: type[ToolchainError]) -> None:
    # Readers end a line at what their language says, and some take blanks off its end: by none is it another.
    if token.splitlines() != [token] or token != token.rstrip():
        expected = "expected characters, no line break and no blank at its end"
        raise error(f"{place}: found token {token[:40]!r}, {expected}: {VOCABULARY_FILE} has one a line")


def content(tokenizer: Tokenizer, path: Path, error: type[ToolchainError]) -> str:
    """Return what `vocab.txt` holds of a tokenizer that was read from `path`.

    C, Rust, JavaScript and Python read it with readers of their own, each by lines.

    Raises:
        error: a number of no token, or a token that is no line: those after it would have other numbers.
    """
    vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    place = f"{path}: model.vocab"
    for line, (token, number) in enumerate(vocabulary):
        if number != line:
            found = f"found no token {line}, the next is {token[:40]!r}, {number}"
            raise error(f"{place}: {found}; expected one for each: {VOCABULARY_FILE} is numbered by line")
        _check_line(token, place, error)
    return "".join(f"{token}\n" for token, _ in vocabulary)
