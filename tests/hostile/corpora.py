"""Hostile corpora, through `make score`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.hostile.arena import CANARY, Arena
from tests.hostile.attack import ATTACK, OUT, Attack, endless, fifo, link


def _corpus(
    name: str, file: str, refused: str | None, write: Callable[[Path, Arena], Any], **more: str
) -> Attack:
    given = {
        "ARTIFACT": f"{ATTACK}/artifact",
        "INPUT": f"{ATTACK}/{file}",
        "OUTPUT": f"{OUT}/out.csv",
        **more,
    }
    line = ("make", "score", *(f"{key}={value}" for key, value in given.items()), "OPTIONS=--variant fp32")
    return Attack(f"corpus: {name}", lambda arena: write(arena.attack / file, arena), refused, (line,))


CORPORA = [
    _corpus("a pipe", "in.csv", "in.csv", lambda path, arena: fifo(path)),
    _corpus("/dev/zero", "in.csv", "in.csv", lambda path, arena: endless(path)),
    _corpus(
        "Parquet that is none", "in.parquet", "in.parquet", lambda path, arena: path.write_bytes(b"PAR1" * 9)
    ),
    _corpus(
        "a value nested 100,000 deep",
        "in.jsonl",
        "in.jsonl",
        lambda path, arena: path.write_bytes(b'{"text":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n"),
    ),
    _corpus(
        "an output that is a link to somebody's own",
        "in.csv",
        None,
        lambda path, arena: (
            path.write_text("text\na\n"),
            link(arena.out / "out.csv", arena.outside / CANARY),
        ),
    ),
    _corpus(
        "a name that is a command",
        "x;touch canary;'\"$(touch canary)`touch canary`.csv",
        "column",
        lambda path, arena: path.write_text("none\na\n"),
    ),
]
