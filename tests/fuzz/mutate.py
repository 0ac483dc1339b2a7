"""Mutations of bytes: what a bad disk, a bad download or a blunt attacker does."""

from __future__ import annotations

from random import Random

_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 62, (1 << 64) - 1)
_LARGEST_PIECE = 64


def _flip(data: bytearray, random: Random) -> None:
    for _ in range(random.choice((1, 1, 2, 8))):
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def _number(data: bytearray, random: Random) -> None:
    width = random.choice((1, 2, 4, 8))
    place = random.randrange(len(data))
    made = (random.choice(_NUMBERS) & ((1 << 8 * width) - 1)).to_bytes(
        width, random.choice(("little", "big"))
    )
    data[place : place + width] = made


def _cut(data: bytearray, random: Random) -> None:
    del data[random.randrange(len(data)) :]


def _drop(data: bytearray, random: Random) -> None:
    place = random.randrange(len(data))
    del data[place : place + random.randint(1, _LARGEST_PIECE)]


def _repeat(data: bytearray, random: Random) -> None:
    place, size = random.randrange(len(data)), random.randint(1, _LARGEST_PIECE)
    data[place:place] = data[place : place + size] * random.choice((1, 2, 200))


def _move(data: bytearray, random: Random) -> None:
    size = random.randint(1, _LARGEST_PIECE)
    source, target = random.randrange(len(data)), random.randrange(len(data))
    data[target : target + size] = data[source : source + size]


def _noise(data: bytearray, random: Random) -> None:
    place = random.randrange(len(data))
    data[place : place + random.randint(0, 8)] = random.randbytes(random.randint(1, 8))


_WAYS = (_flip, _flip, _number, _cut, _drop, _repeat, _move, _noise)


def mutated(content: bytes, random: Random) -> bytes:
    """Return `content` changed in one to three places."""
    data = bytearray(content)
    for _ in range(random.choice((1, 1, 2, 3))):
        if data:
            random.choice(_WAYS)(data, random)
    return bytes(data)
