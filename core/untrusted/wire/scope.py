"""Keep the names that the nodes of a graph may read, and the numbers of those that are short constants."""

from __future__ import annotations

from collections.abc import Iterable

from core.untrusted.wire.protobuf import WireError


def add_once(known: set[str], names: Iterable[str], what: str) -> None:
    """Add names.

    Raises:
        WireError: one is there already, or empty.
    """
    for name in names:
        if not name:
            raise WireError(f"a {what} without a name")
        if name in known:
            raise WireError(f"duplicate {what} {name!r}")
        known.add(name)


class Scope:
    """Values of one graph, inside those of the graph around it."""

    def __init__(self, outer: Scope | None = None) -> None:
        """Begin without values of its own."""
        self._own: dict[str, list[float]] = {}
        self._outer = outer

    def __contains__(self, name: str) -> bool:
        """Whether a node here may read a value."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope._own:
                return True
            scope = scope._outer
        return False

    def numbers(self, name: str) -> list[float]:
        """Return the numbers of a short constant; none of any other value."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope._own:
                return scope._own[name]
            scope = scope._outer
        return []

    def declare(self, name: str, numbers: list[float] | None = None) -> None:
        """Add a value of the graph itself, which may hide an outer one."""
        self._own[name] = numbers or []

    def make(self, name: str, numbers: list[float] | None = None) -> None:
        """Add a value that a node makes.

        Raises:
            WireError: it is there already.
        """
        if name in self:
            raise WireError(f"duplicate value {name!r}")
        self.declare(name, numbers)
