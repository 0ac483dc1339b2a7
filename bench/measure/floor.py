"""The floor: the multiply-accumulates (MACs) a text needs, at the most the machine can do of them.

Counted are the products of the encoder's layers, for real tokens only; not counted are the embedding
table (it is a look-up), the head (28 columns), softmax, GELU and LayerNorm. With n tokens, h hidden and
i intermediate, a layer needs ``n (4 h² + 2 h i)`` for its linear parts and ``2 n² h`` for QKᵀ and PV.
With CLS pooling only one token of the last layer is read: its keys and values need all n tokens, its
query, output projection, feed-forward and one row of attention need one. Attention's own products run
in float32 in every variant, but count here as MACs like all others, so an int8 floor is a little too
good (they are under 1 % at 19 tokens).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.contenders.bare_products import Product
from core.build.facts import EncoderInfo
from core.contract import Pooling
from core.errors import ArtifactError
from core.untrusted import json_file


@dataclass(frozen=True)
class Shape:
    """The sizes of an encoder that its products follow from."""

    layers: int
    hidden: int
    intermediate: int
    pooling: Pooling


def read_shape(build: Path) -> Shape:
    """Read an encoder's sizes from a build folder.

    Raises:
        ArtifactError: `encoder.json` or `assets/config.json` is missing or lacks a field.
    """
    info = EncoderInfo.read(build / "encoder.json")
    path = build / "assets" / "config.json"
    try:
        intermediate = int(json_file.read_object(path, ArtifactError)["intermediate_size"])
    except (ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{path}: has no intermediate_size: {error}") from error
    return Shape(info.used_layers, info.hidden, intermediate, "cls" if info.last_is_cls else "mean")


def macs(shape: Shape, tokens: float) -> float:
    """Return the MACs of one text of `tokens` real tokens (an average may be a fraction)."""
    h, i = shape.hidden, shape.intermediate
    layer = tokens * (4 * h * h + 2 * h * i) + 2 * tokens * tokens * h
    if shape.pooling == "mean":
        return shape.layers * layer
    last = tokens * 2 * h * h + (2 * h * h + 2 * h * i) + 2 * tokens * h
    return (shape.layers - 1) * layer + last


def peaks(products: Sequence[Product], calls: Sequence[tuple[int, float]]) -> dict[str, float]:
    """Return precision → MAC/s of the fastest call of a product of that precision.

    The fastest, not the median: whatever else the machine does can only slow a product down.

    Args:
        products: what was timed.
        calls: for each call, the index of its product and its seconds; at least one per precision.
    """
    fastest: dict[str, float] = {}
    for index, seconds in calls:
        precision, rate = products[index].precision, products[index].macs / seconds
        fastest[precision] = max(fastest.get(precision, 0.0), rate)
    return fastest
