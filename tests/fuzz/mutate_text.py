"""Mutations of delimited text and JSON Lines: signs put in, lines moved, joined and cut."""

from __future__ import annotations

import json
import re
from random import Random

from tests.fuzz import mutate_tree

_CSV = (
    *('"', '""', '"""', ",", "\t", "\n", "\r", "\r\n", "\r\r", "\n\n", '",', ',"', '"\n', '\n"', "\x00", " "),
    *("a", "é", "\u2028", "\x85", "\x0b", "\x1c", "\ufeff", "text", '"a""b"', '"a,b\r\nc"', '"x"y', 'x"y"'),
)
_JSON = (
    *('{"text": "x"}\n', "{}\n", "\n", "\r\n", " ", "\t", '"text": null, ', '"n": 1e400, ', '"n": NaN, '),
    *(
        '"n": 18446744073709551616, ',
        '"n": -0, ',
        '"n": 0.1000000000000000055511, ',
        '"n": -9223372036854775808, ',
    ),
    *(
        '"o": {"text": [1, null]}, ',
        '"l": [{"a": 1}, {"b": []}], ',
        '"\\ud800"',
        "\\udc00",
        "\ufeff",
        "[",
        "null",
    ),
)
_NO_UTF8 = (b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80")
_MARKS = re.compile(rb'[",\t\r\n{}\[\]:]')


def _line(data: bytes, random: Random) -> bytes:
    lines = data.splitlines(keepends=True)
    if not lines:
        return data
    place, other = random.randrange(len(lines)), random.randrange(len(lines))
    way = random.randrange(4)
    if way == 0:
        del lines[place]
    elif way == 1:
        lines.insert(place, lines[other])
    elif way == 2:
        lines[place], lines[other] = lines[other], lines[place]
    else:
        lines[place] = lines[place].rstrip(b"\r\n") + random.choice((b"", b"\r", b"\n", b"\r\n", b"\n\r"))
    return b"".join(lines)


def _put(data: bytes, signs: tuple[str, ...], random: Random) -> bytes:
    """Put a sign of the format somewhere, most of the time beside another or instead of it."""
    marks = [found.start() for found in _MARKS.finditer(data)]
    near = random.choice(marks) + random.choice((0, 1)) if marks and random.random() < 0.6 else None
    place = random.randrange(len(data) + 1) if near is None else near
    sign = random.choice(_NO_UTF8) if random.random() < 0.06 else random.choice(signs).encode()
    return data[:place] + sign + data[place + random.choice((0, 0, 1)) :]


def mutated_csv(content: bytes, random: Random) -> bytes:
    """Return delimited text with one to four changes."""
    for _ in range(random.choice((1, 1, 2, 4))):
        content = _line(content, random) if random.random() < 0.25 else _put(content, _CSV, random)
    return content


def _value(content: bytes, random: Random) -> bytes:
    """Change the object of one line."""
    lines = content.split(b"\n")
    place = random.randrange(len(lines))
    tree = json.loads(lines[place])
    mutate_tree.change(tree, random)
    if random.random() < 0.3 and isinstance(tree, dict):
        tree[random.choice(("n", "text", "o", "l"))] = mutate_tree.strange(random)
    lines[place] = json.dumps(tree, ensure_ascii=random.random() < 0.5).encode("utf-8", "surrogatepass")
    return b"\n".join(lines)


def mutated_json_lines(content: bytes, random: Random) -> bytes:
    """Return JSON Lines with one to four changes."""
    for _ in range(random.choice((1, 1, 2, 4))):
        if random.random() < 0.4:
            try:
                content = _value(content, random)
                continue
            except (ValueError, RecursionError):
                pass
        content = _line(content, random) if random.random() < 0.25 else _put(content, _JSON, random)
    return content
