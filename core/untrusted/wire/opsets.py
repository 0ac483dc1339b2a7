"""Check which operators, of which version, an untrusted ONNX model says it uses. Standard library only."""

from __future__ import annotations

from core.untrusted import limits
from core.untrusted.wire.operators import STANDARD
from core.untrusted.wire.protobuf import Message, WireError


def domain_of(stated: str) -> str:
    """Return a domain's one name: `ai.onnx` is the standard's other."""
    return STANDARD[0] if stated in STANDARD else stated


def domains_of(imports: list[Message]) -> frozenset[str]:
    """Return the domains that a model or a function imports; converters list some of them twice.

    Raises:
        WireError: one is of two versions, or of one that there is not.
    """
    versions: dict[str, int] = {}
    for opset in imports:
        domain, version = domain_of(opset.get("domain", "")), opset.get("version", 0)
        if versions.setdefault(domain, version) != version:
            raise WireError(f"operators of {domain!r}: versions {versions[domain]} and {version}")
        if not 1 <= version <= limits.OPSET:
            raise WireError(f"operators of {domain!r}: version {version}, expected 1 to {limits.OPSET}")
    return frozenset(versions)
