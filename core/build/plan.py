"""A quantization plan: what `quantize` does, and all it needs to know."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

Mode = Literal["int8", "int8x2", "float"]


@dataclass(frozen=True)
class Range:
    """What calibration saw at one activation, float32 `[k]` each: the range to keep, and the mean."""

    low_k: NDArray[np.float32]
    high_k: NDArray[np.float32]
    mean_k: NDArray[np.float32]


@dataclass(frozen=True)
class Parts:
    """Channels after GELU that hold what others are cut off at (`graphs.int8.overflow`), one an entry.

    Part p is GELU(gain (x - start)) / gain of channel `channels[p]`'s x; float32 `[p]` both.
    """

    channels: tuple[int, ...] = ()
    start_p: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    gain_p: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))


@dataclass(frozen=True)
class Site:
    """One quantized activation.

    Mode `int8` is one u8 term; `int8x2` is two, of which the second holds what the first rounded off.
    `float_channels` are multiplied in float32, `split_channels` several times, by summands of their
    weights; both are indices into the k channels. `normalized` is of a normalization's output: it is rounded
    as it is before gamma and beta, with one step for all channels, and its range is of these values.
    """

    mode: Mode
    float_channels: tuple[int, ...]
    split_channels: tuple[int, ...]
    range: Range
    parts: Parts = field(default_factory=Parts)
    normalized: bool = False


@dataclass(frozen=True)
class Plan:
    """A quantization of one encoder with one head; replayed without calibration or search.

    `sites` are by name, in graph order. `weight_bits` is 8, or 7 for CPUs whose int8 products
    saturate. `record` says how the plan was found, for people.
    """

    encoder_sha256: str
    head_sha256: str
    weight_bits: int
    sites: dict[str, Site]
    record: dict[str, Any]

    def with_mode(self, name: str, mode: Mode) -> Plan:
        """Return the plan with another mode at one site."""
        return replace(self, sites={**self.sites, name: replace(self.sites[name], mode=mode)})

    @property
    def description(self) -> str:
        """What the metadata says of the quantization."""
        count = {mode: sum(site.mode == mode for site in self.sites.values()) for mode in get_args(Mode)}
        parts = [f"{number} {mode}" for mode, number in count.items() if number]
        return f"static int8, {self.weight_bits}-bit weights per column; activations: {', '.join(parts)}"
