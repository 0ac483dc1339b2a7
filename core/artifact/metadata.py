"""Write and read what a finished graph states about itself, and check its inputs and outputs."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self, get_args

from core.build.facts import EncoderInfo, HeadInfo, check_thresholds
from core.contract import INPUTS, OUTPUT_TYPES, TEXT, TOOLCHAIN_VERSION, ProblemType
from core.errors import ArtifactError
from core.untrusted import json_file, limits
from core.untrusted.regular_file import RefusedError, naming

Guard = dict[str, Any]
_GUARD = ("margins", "max_flip_rate", "bound")

_LENGTH = re.compile("[1-9][0-9]{0,9}")
_VERSION = re.compile(r"[1-9][0-9]{0,3}\.[0-9]{1,4}")


class Metadata(NamedTuple):
    """The metadata of a graph: one property a field, in this order; the others are for readers of the file.

    `labels` are the columns of the outputs, `thresholds` are in their order. `features` are layer and pooling
    of what the head reads, none where that is the sentence embedding. `max_length` is in tokens.
    `onnxruntime` is the oldest version that runs the graph; graphs of before there was this property do
    not say it. `guard` is of a graph that answers some texts in float32: by label the margin within which it
    does, the flip rate that the margins are chosen for, and what is stated of that; other graphs have none.
    """

    labels: list[str]
    thresholds: dict[str, float]
    problem_type: ProblemType
    pooling: str
    normalize: bool
    features: list[tuple[int, str]]
    max_length: int
    recipe: str
    encoder_sha256: str
    head_sha256: str
    quantization: str
    toolchain_version: str
    onnxruntime: str = ""
    guard: Guard | None = None

    @classmethod
    def of(
        cls,
        recipe: str,
        encoder: EncoderInfo,
        head: HeadInfo,
        quantization: str,
        toolchain_version: str = TOOLCHAIN_VERSION,
        onnxruntime: str = "",
    ) -> Self:
        """Return the metadata of a graph that a recipe (by its name) makes of an encoder and a head."""
        return cls(
            labels=head.labels,
            thresholds=head.thresholds,
            problem_type=head.problem_type,
            pooling=encoder.pooling,
            normalize=encoder.normalize,
            features=list(encoder.feature_parts),
            max_length=encoder.max_length,
            recipe=recipe,
            encoder_sha256=encoder.weights_sha256,
            head_sha256=head.model_sha256,
            quantization=quantization,
            toolchain_version=toolchain_version,
            onnxruntime=onnxruntime,
        )

    def to_properties(self) -> dict[str, str]:
        """Return key → exact string, as a graph has them: text as it is, all else as JSON."""
        return {
            key: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            for key, value in self._asdict().items()
            if key not in self._field_defaults or value
        }

    @classmethod
    def read(cls, path: Path, properties: Mapping[str, str]) -> Self:
        """Read the properties of a graph; `path` is for the messages.

        Raises:
            ArtifactError: one is missing; the labels are not different names, the thresholds not one number
                a label that `check_thresholds` takes, or another value is not of its field's type.
        """
        missing = [key for key in cls._fields if key not in {**cls._field_defaults, **properties}]
        if missing:
            raise ArtifactError(f"{path}: metadata lacks {', '.join(missing)}")
        stated: dict[str, Any] = {key: properties[key] for key in cls._fields if key in properties}
        for key in ("labels", "thresholds", "features", *(["guard"] if "guard" in stated else [])):
            stated[key] = json_file.loads(stated[key], f"{path}: metadata {key}", ArtifactError, "label")
        with naming(path, ArtifactError, "metadata", RefusedError):
            stated |= _checked(**stated)
        place = f"{path}: metadata"
        stated["thresholds"] = check_thresholds(
            stated["thresholds"], stated["labels"], stated["problem_type"], place, ArtifactError
        )
        return cls(**stated)


def _checked(
    labels: Any,
    thresholds: Any,
    problem_type: str,
    features: Any,
    normalize: str,
    max_length: str,
    onnxruntime: str | None = None,
    guard: Any = None,
    **texts: str,
) -> dict[str, Any]:
    """Check the properties that are not texts; return those that JSON does not give as they are."""
    if not isinstance(labels, list) or not labels or not all(isinstance(label, str) for label in labels):
        raise RefusedError("labels: expected a list of names")
    if len(labels) > limits.LABELS:
        raise RefusedError(f"labels: found {len(labels):,}, expected at most {limits.LABELS:,}")
    if len(set(labels)) < len(labels):
        duplicate = next(label for label, count in Counter(labels).items() if count > 1)
        raise RefusedError(f"labels: {duplicate!r} is a duplicate")
    if not isinstance(thresholds, dict) or set(thresholds) != set(labels):
        raise RefusedError(f"thresholds: expected one a label: {', '.join(labels)}")
    if problem_type not in get_args(ProblemType):
        expected = " or ".join(get_args(ProblemType))
        raise RefusedError(f"problem_type found {problem_type!r}, expected {expected}")
    if not isinstance(features, list) or any(
        not isinstance(pair, list) or [type(item) for item in pair] != [int, str] for pair in features
    ):
        raise RefusedError("features: expected pairs of layer and pooling")
    if normalize not in ("true", "false"):
        raise RefusedError(f"normalize found {normalize!r}, expected true or false")
    if not _LENGTH.fullmatch(max_length) or int(max_length) > limits.TOKENS:
        found = f"found {max_length[:40]!r}, expected a length of at most {limits.TOKENS:,}"
        raise RefusedError(f"max_length {found}")
    if onnxruntime is not None and not _VERSION.fullmatch(onnxruntime):
        raise RefusedError(f"onnxruntime found {onnxruntime[:40]!r}, expected a version")
    if guard is not None:
        _check_guard(guard, labels)
    pairs = [(layer, pooling) for layer, pooling in features]
    return {"features": pairs, "normalize": normalize == "true", "max_length": int(max_length)}


def _check_guard(guard: Any, labels: list[str]) -> None:
    if not isinstance(guard, dict) or set(guard) != set(_GUARD) or not isinstance(guard["bound"], str):
        raise RefusedError(f"guard: expected {', '.join(_GUARD)}, the last a text")
    margins, rate = guard["margins"], guard["max_flip_rate"]
    if not isinstance(margins, dict) or list(margins) != labels:
        raise RefusedError(f"guard: margins: expected one a label: {', '.join(labels)}")
    numbers = [*margins.values(), rate]
    if any(type(number) not in (int, float) or not number >= 0 for number in numbers) or rate >= 1:
        raise RefusedError("guard: expected margins from 0 on, and a max_flip_rate from 0 to below 1")


def _check_tensor(path: Path, kind: str, value: Any, expected: str, rank: int = 2) -> None:
    if value.type != expected or len(value.shape) != rank:
        stated = f"found {value.type} {value.shape}, expected {expected} of rank {rank}"
        raise ArtifactError(f"{path}: {kind} {value.name}: {stated}")


def check_interface(path: Path, session: Any, labels: list[str]) -> None:
    """Check the inputs and outputs of a session, of either contract.

    Raises:
        ArtifactError: a name or a type is another than the contract's.
    """
    inputs = session.get_inputs()
    names = sorted(value.name for value in inputs)
    if names not in (sorted(INPUTS), [TEXT]):
        raise ArtifactError(f"{path}: found inputs {names}, expected {list(INPUTS)}, or {[TEXT]}")
    kind, rank = ("tensor(string)", 1) if names == [TEXT] else ("tensor(int64)", 2)
    for value in inputs:
        _check_tensor(path, "input", value, kind, rank)
    outputs = {value.name: value for value in session.get_outputs()}
    expected = OUTPUT_TYPES if set(OUTPUT_TYPES) <= set(outputs) else dict.fromkeys(labels, "tensor(float)")
    for name, kind in expected.items():
        if name not in outputs:
            raise ArtifactError(f"{path}: has no output {name}; found {', '.join(outputs)[:200]}")
        _check_tensor(path, "output", outputs[name], kind)
