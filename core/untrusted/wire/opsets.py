"""Check which operators, of which version, an untrusted ONNX model says it uses. Standard library only."""

from __future__ import annotations

from core.untrusted import limits
from core.untrusted.wire.operators import STANDARD
from core.untrusted.wire.protobuf import Message, WireError

Versions = dict[str, int]


def version_of(versions: Versions, domain: str) -> int | None:
    """Return the version of a domain that is imported, by either of the standard's names."""
    names = STANDARD if domain in STANDARD else (domain,)
    return next((versions[name] for name in names if name in versions), None)


def is_imported(domain: str, versions: Versions) -> bool:
    """Whether a node's domain is imported; the standard may have been under its other name."""
    return domain in versions or (domain == STANDARD[0] and STANDARD[1] in versions)


def versions_of(imports: list[Message], of_model: Versions | None = None) -> Versions:
    """Return the domains that a model or a function imports, with versions; some converters list one twice.

    Args:
        of_model: what a function's model imports. Which of two versions a function's operators are of,
            whoever inlines it decides.

    Raises:
        WireError: one is of two versions, or of one that there is not.
    """
    versions: Versions = {}
    for opset in imports:
        domain, version = opset.get("domain", ""), opset.get("version", 0)
        if not 1 <= version <= limits.OPSET:
            raise WireError(f"operators of {domain!r}: version {version}, expected 1 to {limits.OPSET}")
        for known, where in ((versions, "before"), (of_model or {}, "outside")):
            other = version_of(known, domain)
            if other not in (None, version):
                raise WireError(f"operators of {domain!r}: version {version}, and {other} {where}")
        versions[domain] = version
    return versions
