"""Hostile recipes, and hostile ways to name one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.hostile.arena import CANARY, Arena
from tests.hostile.attack import ATTACK, PYTHON, Attack, endless, fifo, link, sparse

MAKE = ("make", "artifact", f"RECIPE={ATTACK}/tiny")


def _recipe(name: str, refused: str | None, spoil: Callable[[Path, Arena], Any], *lines: Any) -> Attack:
    return Attack(
        f"recipe: {name}", lambda arena: spoil(arena.attack / "tiny", arena), refused, lines or (MAKE,)
    )


def _edited(change: Callable[[str], str]) -> Callable[[Path, Arena], None]:
    def spoil(folder: Path, arena: Arena) -> None:
        path = folder / "recipe.toml"
        path.write_text(change(path.read_text("utf-8")), "utf-8")

    return spoil


def _spelled(path: str, refused: str | None = "") -> Attack:
    return Attack(f"recipe: spelled {path!r}", lambda arena: None, refused, (("make", "artifact", path),))


def _named(name: str) -> Callable[[Path, Arena], None]:
    return _edited(lambda text: text.replace('name = "tiny"', f"name = {json.dumps(name)}"))


def _labels(count: int) -> Callable[[Path, Arena], None]:
    names = json.dumps([f"label{index}" for index in range(count)])
    return _edited(
        lambda text: text.split("names = ")[0] + f"names = {names}\n[variants.fp32]\nmax_flip_rate = 0.1\n"
    )


def _taken(place: str) -> Callable[[Path, Arena], None]:
    """Somebody's own files lie where the build or the artifact would be."""

    def spoil(folder: Path, arena: Arena) -> None:
        own = arena.checkout / place / "tiny"
        own.mkdir(parents=True)
        (own / CANARY).write_text("somebody's own\n", "utf-8")

    return spoil


def _linked(place: str) -> Callable[[Path, Arena], None]:
    def spoil(folder: Path, arena: Arena) -> None:
        (arena.checkout / place).mkdir(exist_ok=True)
        (arena.checkout / place / "tiny").symlink_to(arena.outside)

    return spoil


_STAGES = (
    (PYTHON, "-m", "export", "build", f"{ATTACK}/tiny", "../outside"),
    (PYTHON, "-m", "graphs", "build", f"{ATTACK}/tiny", "../outside"),
    (PYTHON, "-m", "verify", "gate", f"{ATTACK}/tiny", "../outside"),
)

RECIPES = [
    _spelled(f"RECIPE={ATTACK}/tiny/.."),
    _spelled(f"RECIPE={ATTACK}/tiny/../../outside"),
    _spelled("RECIPE=.", "recipe"),
    _spelled("RECIPE=", "recipe"),
    _spelled("RECIPE=/", "recipe"),
    _spelled("RECIPE=$(shell touch canary)", "recipe"),
    _spelled("RECIPE=x;touch canary", "recipe"),
    _spelled("RECIPE=x' ; touch canary; '", "recipe"),
    _recipe("another name than its folder's", "name", _named("other")),
    _recipe("a name of dots", "name", _named("..")),
    _recipe("a name with a line break", "name", _named("tiny\n\ttouch canary")),
    _recipe(
        "a key of sha256 with line breaks",
        "sha256",
        _edited(lambda t: t.replace("[head]", 'sha256 = {"x\\n\\ttouch canary\\n" = "y"}\n[head]')),
    ),
    _recipe("64 KB of a text of many lines", "recipe.toml", _edited(lambda text: 'a="""' * 13_000)),
    _recipe("many tables", "recipe.toml", _edited(lambda text: "[[a]]\n" * 10_000 + "b.c.d = 1\n" * 500)),
    _recipe("30,000 labels", "label|recipe.toml", _labels(30_000)),
    _recipe("a label with escapes", "label", _edited(lambda t: t.replace('"joy"', '"\\u001b[2J\\njoy"'))),
    *(
        _recipe(
            f"recipe.toml is {kind}",
            "recipe.toml",
            lambda folder, arena, put=put: put(folder / "recipe.toml"),
        )
        for kind, put in (("a pipe", fifo), ("3 GB of nothing", sparse), ("/dev/zero", endless))
    ),
    _recipe(
        "recipe.toml is a link to a file that is no recipe",
        "recipe.toml",
        lambda folder, arena: link(folder / "recipe.toml", Path("/etc/hostname")),
    ),
    _recipe("dist/NAME is somebody's own", "dist/tiny", _taken("dist")),
    _recipe("build/NAME is somebody's own", "build/tiny", _taken("build")),
    _recipe("dist/NAME is a link to somebody's own", "dist/tiny", _linked("dist")),
    _recipe("build/NAME is a link to somebody's own", "build/tiny", _linked("build")),
    _recipe("stages in a folder that is somebody's own", "outside", lambda folder, arena: None, *_STAGES),
]
