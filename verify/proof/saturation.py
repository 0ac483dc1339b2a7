"""Count, in a graph's bytes, the pairs of int8 weights that can saturate on a CPU without VNNI."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core import pairs
from core.errors import ArtifactError
from core.untrusted import onnx_file
from core.untrusted.regular_file import naming
from core.untrusted.wire import operators
from core.untrusted.wire.operators import INTEGER_WEIGHTS, STANDARD
from core.untrusted.wire.protobuf import Message, integers

# Of TensorProto.DataType.
_U8, _S8 = 2, 3


@dataclass(frozen=True)
class Pairs:
    """What a graph's products of integers read: s8 weights, their pairs, and pairs that can saturate.

    `unproven` counts the nodes whose weight cannot be looked at: computed, of another type or shape, or
    dequantized, so that onnxruntime may make a product of integers of it. `first` is a sentence on the first
    of either, None where both are 0.
    """

    weights: int
    examined: int
    can_saturate: int
    unproven: int
    first: str | None

    @property
    def is_safe(self) -> bool:
        """Whether every product of integers is the same on every CPU."""
        return not self.can_saturate and not self.unproven

    def stated(self) -> dict[str, int]:
        """Return what a manifest says of them."""
        return {key: value for key, value in asdict(self).items() if key != "first"}


def _array(tensor: Message) -> NDArray[np.int8]:
    if "raw_data" in tensor:
        flat = np.frombuffer(tensor["raw_data"], np.int8)
    else:
        # Of a longer number protobuf takes the lower bytes.
        flat = (np.array(integers(tensor["int32_data"]), np.int64) & 255).astype(np.uint8).view(np.int8)
    return flat.reshape(tensor["dims"])


def _products(graph: Message, outer: Mapping[str, Message]) -> Iterator[tuple[str, Message | None]]:
    """Yield what each product of integers reads as its weight: the name and the tensor, None if computed.

    Also yields what a `DequantizeLinear` reads that no `QuantizeLinear` of the same graph made.
    """
    inner = {tensor.get("name", ""): tensor for tensor in graph["initializer"]}
    hidden = {value.get("name") for value in graph["input"]}
    hidden |= {name for node in graph["node"] for name in node["output"]}
    constants = {name: tensor for name, tensor in {**outer, **inner}.items() if name not in hidden}
    made = [node for node in graph["node"] if node.get("op_type") == "QuantizeLinear"]
    quantized = {name for node in made for name in node["output"]}
    for node in graph["node"]:
        domain, inputs = node.get("domain", ""), node["input"]
        key = ("" if domain in STANDARD else domain, node.get("op_type", ""))
        if key in INTEGER_WEIGHTS:
            name = inputs[INTEGER_WEIGHTS[key]]
            yield name, constants.get(name)
        elif key == ("", "DequantizeLinear") and inputs[0] not in quantized:
            yield inputs[0], None
        for attribute in node["attribute"]:
            for inside in [*([attribute["g"]] if "g" in attribute else []), *attribute["graphs"]]:
                yield from _products(inside, constants)


def _all_products(model: Message) -> Iterator[tuple[str, Message | None]]:
    yield from _products(model["graph"], {})
    for function in model["functions"]:
        yield from _products({"initializer": [], "input": [], "node": function["node"]}, {})


def count(path: Path) -> Pairs:
    """Count the pairs of a graph's int8 weights, its branches' and functions' among them.

    A weight that several nodes read counts once; one of u8 does not: kernels widen it before they multiply.

    Raises:
        ArtifactError: the file is not a graph that is accepted.
    """
    model = onnx_file.check(path, operators.GRAPH, ArtifactError)
    weights: dict[int, NDArray[np.int8]] = {}
    firsts: list[str] = []
    saturating = unproven = 0
    with naming(path, ArtifactError, "its weights cannot be read", ValueError, IndexError, KeyError):
        for name, tensor in _all_products(model):
            kind = tensor and tensor.get("data_type")
            if tensor is None or kind not in (_U8, _S8) or len(tensor["dims"]) != 2:
                unproven += 1
                firsts.append(f"weight {name}: found none that is constant, expected s8 [k, n], or u8")
            elif kind == _S8 and id(tensor) not in weights:
                weight = weights[id(tensor)] = _array(tensor)
                saturating += int(np.count_nonzero(pairs.can_saturate(weight)))
                if sentence := pairs.sentence(weight):
                    firsts.append(f"weight {name}: {sentence}")
    examined = sum(map(pairs.count, weights.values()))
    return Pairs(len(weights), examined, saturating, unproven, firsts[0] if firsts else None)


def check(path: Path, stated: Any, head_kind: str, place: str) -> str:
    """Check a graph's pairs against what its manifest states; return what was found, in words.

    Pairs can saturate only in a head that stays a graph, which is merged as it is. A manifest of before they
    were counted states nothing (None): what is found is said, and is no error.

    Raises:
        ArtifactError: they are others than stated, or can saturate where there is no such head.
    """
    found = count(path)
    if found.is_safe and not found.weights:
        said = "no products of integers"
    elif found.is_safe:
        said = f"none of {found.examined:,} in {found.weights} weights can saturate"
    else:
        others = f", {found.unproven} weights cannot be looked at" if found.unproven else ""
        said = (
            f"{found.can_saturate:,} of {found.examined:,} can saturate{others}: answers may differ on CPUs "
            "without VNNI"
        )
    if stated is None:
        return said if found.is_safe else f"not stated by the manifest; {said}"
    is_stated = isinstance(stated, dict) and bool(stated.get("can_saturate") or stated.get("unproven"))
    if found.first and not (is_stated and head_kind == "subgraph"):
        raise ArtifactError(f"{path}: {found.first}")
    if stated != found.stated():
        raise ArtifactError(f"{place}: pairs: found {stated}, expected the graph's, {found.stated()}")
    return said
