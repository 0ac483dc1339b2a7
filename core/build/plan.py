"""Write and read a quantization plan, `quantization.json`: read back exactly as it was written, or refused.

The file says `sites` where the code says activations, and `parts` where it says overflow channels.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from core.errors import ArtifactError
from core.untrusted import json_file
from core.untrusted.regular_file import FIELD_ERRORS, RefusedError, naming

PLAN_FILE = "quantization.json"
USED_FILE = "quantization_used.json"
_FIELDS = ("encoder_sha256", "head_sha256", "weight_bits", "record")
Mode = Literal["int8", "int8x2", "float"]


@dataclass(frozen=True)
class Range:
    """What calibration saw at one activation, float32 `[k]` each: the range to keep, and the mean."""

    low_k: NDArray[np.float32]
    high_k: NDArray[np.float32]
    mean_k: NDArray[np.float32]


@dataclass(frozen=True)
class OverflowChannels:
    """Channels after GELU that carry what exceeds the shared clipping range (`graphs.int8.overflow`).

    Overflow channel o is GELU(gain (x - start)) / gain of channel `channels[o]`'s x; float32 `[o]` both.
    """

    channels: tuple[int, ...] = ()
    start_o: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    gain_o: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))


@dataclass(frozen=True)
class ActivationPlan:
    """How one activation is quantized.

    Mode `int8` is one u8 term; `int8x2` is two, of which the second holds what the first rounded off.
    `float_channels` are multiplied in float32, `split_channels` several times, by summands of their
    weights; both are indices into the k channels. `normalized` is of a normalization's output: it is rounded
    as it is before gamma and beta, with one scale for all channels, and its range is of these values.
    """

    mode: Mode
    float_channels: tuple[int, ...]
    split_channels: tuple[int, ...]
    range: Range
    overflow: OverflowChannels = field(default_factory=OverflowChannels)
    normalized: bool = False


@dataclass(frozen=True)
class QuantizationPlan:
    """A quantization of one encoder with one head; replayed without calibration or search.

    `activations` are by name, in graph order. `weight_bits` is 8, or 7 for CPUs whose int8 products
    saturate. `record` says how the plan was found, for people.
    """

    encoder_sha256: str
    head_sha256: str
    weight_bits: int
    activations: dict[str, ActivationPlan]
    record: dict[str, Any]

    def with_mode(self, name: str, mode: Mode) -> QuantizationPlan:
        """Return the plan with another mode at one activation."""
        return replace(
            self, activations={**self.activations, name: replace(self.activations[name], mode=mode)}
        )

    @property
    def description(self) -> str:
        """What the metadata says of the quantization."""
        modes = [activation.mode for activation in self.activations.values()]
        counts = [f"{modes.count(mode)} {mode}" for mode in get_args(Mode) if mode in modes]
        return f"static int8, {self.weight_bits}-bit weights per column; activations: {', '.join(counts)}"


def _encoded(array: NDArray[np.float32]) -> str:
    return base64.b64encode(array.astype("<f4").tobytes()).decode("ascii")


def _decoded(text: str) -> NDArray[np.float32]:
    return np.frombuffer(base64.b64decode(text, validate=True), "<f4").astype(np.float32)


def dump(plan: QuantizationPlan) -> str:
    """Return the content of a file that `read` reads back exactly; arrays are base64 of float32."""
    sites = {
        name: {
            "mode": activation.mode,
            "normalized": activation.normalized,
            "float_channels": activation.float_channels,
            "split_channels": activation.split_channels,
            "parts": {
                "channels": activation.overflow.channels,
                "start": _encoded(activation.overflow.start_o),
                "gain": _encoded(activation.overflow.gain_o),
            },
            "low": _encoded(activation.range.low_k),
            "high": _encoded(activation.range.high_k),
            "mean": _encoded(activation.range.mean_k),
        }
        for name, activation in plan.activations.items()
    }
    content = {key: getattr(plan, key) for key in _FIELDS} | {"sites": sites}
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def summary(plan: QuantizationPlan, sha256: str) -> str:
    """Return what the manifest says of a plan: where it came from, and what it chose."""
    content = {"plan_sha256": sha256, "weight_bits": plan.weight_bits, **plan.record}
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _overflow(where: str, content: dict[str, Any], width: int) -> OverflowChannels:
    shifts = (_decoded(content[key]) for key in ("start", "gain"))
    overflow = OverflowChannels(tuple(content["channels"]), *shifts)
    counts = {len(overflow.channels), len(overflow.start_o), len(overflow.gain_o)}
    if len(counts) > 1 or not all(0 <= index < width for index in overflow.channels):
        raise RefusedError(f"{where}: parts: expected as many start and gain as channels, of {width}")
    if not (np.all(overflow.start_o > 0) and np.all(overflow.gain_o >= 1)):
        raise RefusedError(f"{where}: parts: expected starts above 0 and gains from 1 on")
    return overflow


def _activation(where: str, content: dict[str, Any]) -> ActivationPlan:
    limits = Range(*(_decoded(content[key]) for key in ("low", "high", "mean")))
    mode = content["mode"]
    if mode not in get_args(Mode):
        raise RefusedError(f"{where}: mode: found {mode!r}, expected one of {get_args(Mode)}")
    width = len(limits.low_k)
    if not (len(limits.high_k) == len(limits.mean_k) == width) or not np.all(limits.low_k < limits.high_k):
        raise RefusedError(f"{where}: expected as many low, high and mean, each low below its high")
    chosen = [tuple(content[key]) for key in ("float_channels", "split_channels")]
    listed = [index for channels in chosen for index in channels]
    if len(set(listed)) != len(listed) or not all(0 <= index < width for index in listed):
        raise RefusedError(f"{where}: float_channels, split_channels: expected different ones of {width}")
    overflow = _overflow(where, content["parts"], width)
    normalized = content.get("normalized", False)
    one_range = all(bool((ends == ends[0]).all()) for ends in (limits.low_k, limits.high_k))
    if not isinstance(normalized, bool) or (normalized and (mode != "int8" or not one_range)):
        expected = "true or false, true in mode int8 with one range only"
        raise RefusedError(f"{where}: normalized: expected {expected}")
    return ActivationPlan(mode, chosen[0], chosen[1], limits, overflow, normalized)


def read(path: Path) -> QuantizationPlan:
    """Read a plan.

    Raises:
        ArtifactError: the file is missing, damaged, or says what no plan can.
    """
    content = json_file.read(path, ArtifactError)
    with naming(path, ArtifactError, "cannot be read as a quantization plan", *FIELD_ERRORS):
        sites = {name: _activation(name, site) for name, site in content["sites"].items()}
        plan = QuantizationPlan(activations=sites, **{key: content[key] for key in _FIELDS})
        if plan.weight_bits not in (7, 8):
            raise RefusedError(f"weight_bits: found {plan.weight_bits!r}, expected 7 or 8")
    return plan
