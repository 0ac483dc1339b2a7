"""What an error says is one printable line of bounded length, at once, whatever it quotes."""

from __future__ import annotations

import time

import pytest

from core.errors import ToolchainError
from tests.support.commands import python

NAMES = {
    "lines": "a\nb \n\n c",
    "a terminal's": "\x1b[31m\x07\x9b2J\r\u202e\u2028",
    "half a character": "\ud800 and \udcff",
    "spaces": " " * (1 << 20),
    "spaces and lines": " \n" * (1 << 20),
    "a long one": "x" * (1 << 20),
    "long and escaped": "\U000f0000" * (1 << 20),
}


@pytest.mark.parametrize("case", NAMES)
def test_one_printable_line_at_once(case):
    start = time.process_time()
    said = str(ToolchainError(f"file: node {NAMES[case]!s}: expected this"))
    assert time.process_time() - start < 1
    assert said.isprintable()
    assert len(said) <= 4_000
    assert said.startswith("file: node")
    assert said.endswith("expected this")


def test_lines_are_joined_and_the_middle_is_left_out():
    assert str(ToolchainError(f"{NAMES['lines']}\n")) == "a b c"
    assert str(ToolchainError("x" * 4_000)) == "x" * 4_000
    assert " … " in str(ToolchainError("x" * 4_001))


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "cp1252"])
def test_any_terminal_takes_it(encoding):
    program = (
        "import sys; from core import cli; from core.errors import ToolchainError\n"
        "def fail(_): raise ToolchainError('\\ud800 \\x1b é 語')\n"
        "sys.exit(cli.exit_code(fail, None))"
    )
    found = python(program, text=False, env={"PYTHONIOENCODING": encoding})
    assert found.returncode == 2
    assert found.stderr.count(b"\n") == 1
    assert found.stderr.startswith(b"error: \\ud800 \\x1b ")
