"""Write and read a quantization plan, `quantization.json`: read back exactly as it was written, or refused.

How weights are rounded is beside it, in `quantization.npz`, whose SHA-256 the plan states. The file says
`sites` where the code says activations, and `parts` where it says overflow channels.
"""

from __future__ import annotations

import base64
import json
import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from core.build.head_change import HeadChange, decoded, encoded
from core.disk.files import replacing, sha256_file, write_text
from core.errors import ArtifactError
from core.untrusted import json_file, npz_file
from core.untrusted.regular_file import FIELD_ERRORS, RefusedError, naming

PLAN_FILE = "quantization.json"
GUARDED_FILE = "quantization_guarded.json"
USED_FILE = "quantization_used.json"
# What a plan's record says of its margins: in a sentence, and in numbers.
GUARD_RECORDS = GUARD_STATED, GUARD_FOUND = "guard", "guarded"
_ROUNDINGS = "roundings_sha256"
_FIELDS = ("encoder_sha256", "head_sha256", "record")
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
    `negated` channels have a scale below zero. `order` is that of the channels in the product, as indices
    into them, overflow channels behind the others (none: as they are); the hidden state's is the plan's.
    """

    mode: Mode
    float_channels: tuple[int, ...]
    split_channels: tuple[int, ...]
    range: Range
    overflow: OverflowChannels = field(default_factory=OverflowChannels)
    normalized: bool = False
    negated: tuple[int, ...] = ()
    order: tuple[int, ...] = ()


@dataclass(frozen=True)
class QuantizationPlan:
    """A quantization of one encoder with one head; replayed without calibration or search.

    `activations` are by name, in graph order. `order` is that of the hidden state's channels in the whole
    graph (none: as they are). `record` says how the plan was found, for people. `margins` are of log-odds, a
    number from 0 on for each label of the head, in its order: to texts nearer to a decision than that the
    variant `guarded` does not answer in int8. None where they were not chosen. `roundings` are of linear
    layers by name (none: to the nearest): bits, packed in uint8, as `graphs.int8.rounding` reads them. `head`
    is what int8 adds to the head.
    """

    encoder_sha256: str
    head_sha256: str
    activations: dict[str, ActivationPlan]
    record: dict[str, Any]
    order: tuple[int, ...] = ()
    margins: tuple[float, ...] = ()
    roundings: dict[str, NDArray[np.uint8]] = field(default_factory=dict)
    head: HeadChange | None = None

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
        head = "" if self.head is None else "; head refitted on int8's features"
        return f"static int8, pair-safe 8-bit weights per column; activations: {', '.join(counts)}{head}"


def _encoded(array: NDArray[np.float32]) -> str:
    return base64.b64encode(array.astype("<f4").tobytes()).decode("ascii")


def _decoded(text: str) -> NDArray[np.float32]:
    return np.frombuffer(base64.b64decode(text, validate=True), "<f4").astype(np.float32)


def _encoded_order(order: tuple[int, ...]) -> str:
    return base64.b64encode(np.array(order, "<u2").tobytes()).decode("ascii")


def _decoded_order(where: str, text: str) -> tuple[int, ...]:
    """Return an order of channels, each once."""
    order = tuple(np.frombuffer(base64.b64decode(text, validate=True), "<u2").tolist())
    if sorted(order) != list(range(len(order))):
        raise RefusedError(f"{where}: expected each of {len(order)} channels once")
    return order


def _dumped(plan: QuantizationPlan, roundings_sha256: str | None) -> str:
    """Return the content of the JSON file; arrays are base64 of float32."""
    sites = {
        name: {
            "mode": activation.mode,
            "normalized": activation.normalized,
            "float_channels": activation.float_channels,
            "split_channels": activation.split_channels,
            "negated": activation.negated,
            "order": _encoded_order(activation.order),
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
    content = {key: getattr(plan, key) for key in _FIELDS}
    content |= {"order": _encoded_order(plan.order)}
    # A plan without margins is as it was before there were any.
    content |= {"margins": list(plan.margins)} if plan.margins else {}
    content |= {"head": encoded(plan.head)} if plan.head is not None else {}
    content |= {_ROUNDINGS: roundings_sha256} if roundings_sha256 else {}
    return json.dumps(content | {"sites": sites}, indent=1, ensure_ascii=False) + "\n"


def roundings_file(path: Path) -> Path:
    """Return where the roundings of a plan in `path` are."""
    return path.with_suffix(".npz")


def write(path: Path, plan: QuantizationPlan) -> None:
    """Write a plan that `read` reads back exactly, and its roundings beside it where it has any."""
    beside, sha256 = roundings_file(path), None
    if plan.roundings:
        with replacing(beside) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **plan.roundings)
        sha256 = sha256_file(beside)
    else:
        beside.unlink(missing_ok=True)
    write_text(path, _dumped(plan, sha256))


def remove(path: Path) -> None:
    """Remove a plan and its roundings, where they are."""
    for file in (path, roundings_file(path)):
        file.unlink(missing_ok=True)


def summary(path: Path, guarded: Path | None = None) -> str:
    """Return what the manifest says of the plan in a file: where it came from, and what it chose.

    Args:
        path: that of `int8`.
        guarded: that of `guarded`, the same file or another.

    Raises:
        ArtifactError: as `read`.
    """
    record = read(path).record
    own = {key: value for key, value in record.items() if key not in GUARD_RECORDS}
    content = {"plan_sha256": sha256_file(path), **own}
    if guarded is not None:
        record = read(guarded).record
        stated = {key: record[key] for key in GUARD_RECORDS if key in record}
        content |= {"guarded_plan_sha256": sha256_file(guarded), **stated}
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
    # A plan made before there were any has no negated ones, and no order.
    chosen = [tuple(content.get(key, ())) for key in ("float_channels", "split_channels", "negated")]
    listed = [index for channels in chosen[:2] for index in channels]
    if len(set(listed)) != len(listed) or not all(0 <= index < width for index in [*listed, *chosen[2]]):
        raise RefusedError(
            f"{where}: float_channels, split_channels, negated: expected different ones of {width}"
        )
    overflow = _overflow(where, content["parts"], width)
    normalized = content.get("normalized", False)
    one_range = all(bool((ends == ends[0]).all()) for ends in (limits.low_k, limits.high_k))
    if not isinstance(normalized, bool) or (normalized and (mode != "int8" or not one_range)):
        expected = "true or false, true in mode int8 with one range only"
        raise RefusedError(f"{where}: normalized: expected {expected}")
    widened = width + len(overflow.channels)
    order = _decoded_order(f"{where}: order", content.get("order", ""))
    if order and len(order) != widened:
        raise RefusedError(f"{where}: order: found {len(order)} channels, expected {widened}")
    floats, split, negated = chosen
    return ActivationPlan(mode, floats, split, limits, overflow, normalized, negated, order)


def _margins(content: Any) -> tuple[float, ...]:
    expected = "expected finite numbers from 0 on, one for each label of the head"
    if not isinstance(content, list):
        raise RefusedError(f"margins: found {str(content)[:40]!r}, {expected}")
    for number, margin in enumerate(content, 1):
        if type(margin) not in (int, float) or not 0 <= margin < math.inf:
            raise RefusedError(f"margins: found {str(margin)[:40]} as number {number}, {expected}")
    return tuple(float(margin) for margin in content)


def _read_roundings(path: Path, sha256: str | None) -> dict[str, NDArray[np.uint8]]:
    if sha256 is None:
        return {}
    arrays = npz_file.read(path, ArtifactError)
    if (found := sha256_file(path)) != sha256:
        raise RefusedError(f"{_ROUNDINGS}: found {path.name} of {found}, expected {str(sha256)[:64]}")
    if wrong := [name for name, bits in arrays.items() if bits.dtype != np.uint8 or bits.ndim != 1]:
        raise RefusedError(f"{path.name}: {wrong[0]}: expected bits, packed in one row of uint8")
    return arrays


def read(path: Path) -> QuantizationPlan:
    """Read a plan and its roundings.

    Raises:
        ArtifactError: the file is missing, damaged, or says what no plan can.
    """
    content = json_file.read(path, ArtifactError)
    with naming(path, ArtifactError, "cannot be read as a quantization plan", *FIELD_ERRORS):
        sites = {name: _activation(name, site) for name, site in content["sites"].items()}
        order = _decoded_order("order", content.get("order", ""))
        margins = _margins(content.get("margins", []))
        roundings = _read_roundings(roundings_file(path), content.get(_ROUNDINGS))
        stated = {key: content[key] for key in _FIELDS}
        head = decoded(content["head"]) if "head" in content else None
        return QuantizationPlan(
            activations=sites, order=order, margins=margins, roundings=roundings, head=head, **stated
        )
    raise AssertionError
