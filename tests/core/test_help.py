"""`--help` of every command says what holds where an option is left out."""

from __future__ import annotations

import re

import pytest

from bench.__main__ import main as bench
from deliver.__main__ import main as deliver
from export.__main__ import main as export
from graphs.__main__ import main as graphs
from score.__main__ import main as score
from verify.__main__ import main as verify

COMMANDS = {"bench": bench, "deliver": deliver, "export": export, "graphs": graphs, "verify": verify}
# What an option's line begins with; its value stands behind, where it takes one.
_OPTION = re.compile(r"^  (-.*?)(?:  +(.*)|)$")
_TAKES_VALUE = re.compile(r"^(-\S+, )?(--[a-z-]+) \S")


def helped(main, capsys, *words):
    with pytest.raises(SystemExit) as ended:
        main([*words, "--help"])
    assert ended.value.code == 0
    return capsys.readouterr().out


def subcommands(text):
    return re.findall(r"^    ([a-z-]+)(?: |$)", text, re.MULTILINE)


def options(text):
    """Option → what is said of it, in one line."""
    found = {}
    for line in text.split("options:\n", 1)[1].splitlines():
        if begun := _OPTION.match(line):
            name, said = begun.groups()
            found[name] = said or ""
        elif line.strip():
            found[name] += " " + line.strip()
    return found


def check(text, required):
    for name, said in options(text).items():
        assert said, f"{name}: nothing is said of it"
        takes_value = _TAKES_VALUE.match(name)
        if takes_value and takes_value[2] not in required:
            assert "(default" in said or "default:" in said, f"{name}: {said}"


def required(text):
    """The options that the usage has without brackets."""
    usage = text.split("\n\n", 1)[0]
    return re.findall(r"(--[a-z-]+)", re.sub(r"\[[^]]*\]", "", usage))


@pytest.mark.parametrize("room", COMMANDS)
def test_every_option_of_every_command(room, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    names = subcommands(helped(COMMANDS[room], capsys))
    assert len(names) > 3
    for name in names:
        text = helped(COMMANDS[room], capsys, name)
        check(text, required(text))
        inner = subcommands(text)
        for measurement in inner:
            text = helped(COMMANDS[room], capsys, name, measurement)
            check(text, required(text))
        assert bool(inner) == ((room, name) == ("bench", "bulk"))


def test_score(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    text = helped(score, capsys)
    check(text, ())
    said = options(text)
    assert said["--checkpoint-seconds CHECKPOINT_SECONDS"].endswith("(default: 30.0)")
    assert said["--text-column TEXT_COLUMN"].endswith("(default: text)")


def test_numbers_are_shown_as_they_are_typed(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert options(helped(bench, capsys, "profile"))["--sizes SIZES"].endswith("(default: 1,8,32)")
