"""A plan's file, `quantization.json`: read back exactly as it was written, or refused."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from core.build.plan import Mode, Parts, Plan, Range, Site
from core.errors import ArtifactError
from core.untrusted import json_file

PLAN_FILE = "quantization.json"
USED_FILE = "quantization_used.json"


def _packed(array: NDArray[np.float32]) -> str:
    return base64.b64encode(array.astype("<f4").tobytes()).decode("ascii")


def _unpacked(text: str) -> NDArray[np.float32]:
    return np.frombuffer(base64.b64decode(text, validate=True), "<f4").astype(np.float32)


def dump(plan: Plan) -> str:
    """Return the content of a file that `read` reads back exactly; arrays are base64 of float32."""
    sites = {
        name: {
            "mode": site.mode,
            "normalized": site.normalized,
            "float_channels": list(site.float_channels),
            "split_channels": list(site.split_channels),
            "parts": {
                "channels": list(site.parts.channels),
                "start": _packed(site.parts.start_p),
                "gain": _packed(site.parts.gain_p),
            },
            "low": _packed(site.range.low_k),
            "high": _packed(site.range.high_k),
            "mean": _packed(site.range.mean_k),
        }
        for name, site in plan.sites.items()
    }
    content = {
        "encoder_sha256": plan.encoder_sha256,
        "head_sha256": plan.head_sha256,
        "weight_bits": plan.weight_bits,
        "record": plan.record,
        "sites": sites,
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def summary(plan: Plan, sha256: str) -> str:
    """Return what the manifest says of a plan: where it came from, and what it chose."""
    content = {"plan_sha256": sha256, "weight_bits": plan.weight_bits, **plan.record}
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _parts(path: Path, name: str, content: dict[str, Any], width: int) -> Parts:
    parts = Parts(tuple(content["channels"]), *(_unpacked(content[key]) for key in ("start", "gain")))
    counts = {len(parts.channels), len(parts.start_p), len(parts.gain_p)}
    if len(counts) > 1 or not all(0 <= index < width for index in parts.channels):
        raise ArtifactError(f"{path}: {name}: parts: expected as many start and gain as channels, of {width}")
    if not (np.all(parts.start_p > 0) and np.all(parts.gain_p >= 1)):
        raise ArtifactError(f"{path}: {name}: parts: expected starts above 0 and gains from 1 on")
    return parts


def _site(path: Path, name: str, content: dict[str, Any]) -> Site:
    limits = Range(*(_unpacked(content[key]) for key in ("low", "high", "mean")))
    mode = content["mode"]
    if mode not in get_args(Mode):
        raise ArtifactError(f"{path}: {name}: mode: found {mode!r}, expected one of {get_args(Mode)}")
    width = len(limits.low_k)
    if not (len(limits.high_k) == len(limits.mean_k) == width) or not np.all(limits.low_k < limits.high_k):
        raise ArtifactError(f"{path}: {name}: expected as many low, high and mean, each low below its high")
    chosen = [tuple(content[key]) for key in ("float_channels", "split_channels")]
    listed = [index for channels in chosen for index in channels]
    if len(set(listed)) != len(listed) or not all(0 <= index < width for index in listed):
        raise ArtifactError(
            f"{path}: {name}: float_channels, split_channels: expected different ones of {width}"
        )
    parts = _parts(path, name, content["parts"], width)
    normalized = content.get("normalized", False)
    one_range = all(bool((ends == ends[0]).all()) for ends in (limits.low_k, limits.high_k))
    if not isinstance(normalized, bool) or (normalized and (mode != "int8" or not one_range)):
        raise ArtifactError(
            f"{path}: {name}: normalized: expected true or false, true in mode int8 with one range only"
        )
    return Site(mode, chosen[0], chosen[1], limits, parts, normalized)


def read(path: Path) -> Plan:
    """Read a plan.

    Raises:
        ArtifactError: the file is missing, damaged, or says what no plan can.
    """
    content = json_file.read(path, ArtifactError)
    try:
        sites = {name: _site(path, name, site) for name, site in content["sites"].items()}
        plan = Plan(
            content["encoder_sha256"],
            content["head_sha256"],
            content["weight_bits"],
            sites,
            content["record"],
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtifactError(f"{path}: cannot be read as a quantization plan: {error!r}") from error
    if plan.weight_bits not in (7, 8):
        raise ArtifactError(f"{path}: weight_bits: found {plan.weight_bits!r}, expected 7 or 8")
    return plan
