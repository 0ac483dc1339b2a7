"""Tell what pip would take for lock files: `python -m requirements.plan LOCK …` in the environment to fill.

Prints a JSON object: how many packages are not installed yet, how large their files are, which of these are
sources to build, and the pins that have no file for this system and Python. What fits where is decided by
pip's own library: a new environment has pip and nothing else.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from pip._vendor.packaging import markers, tags, utils

from requirements import files
from requirements.files import File
from requirements.pin import entries, pin_of

_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True)
class Plan:
    """What an installation brings.

    Attributes:
        chosen: the file of each pin.
        missing: the pins without a wheel that fits, and without a source to build.
    """

    chosen: list[File]
    missing: list[str]


def _rank(file: File, ranks: Mapping[tags.Tag, int]) -> int | None:
    """Return how far down the tags a file fits, a source after all of them; None where it does not."""
    if not file.name.endswith(".whl"):
        return len(ranks)
    fits = tags.parse_tag("-".join(file.name.removesuffix(".whl").split("-")[-3:]))
    return min((ranks[tag] for tag in fits if tag in ranks), default=None)


def choose(
    pins: Iterable[str],
    listed: Mapping[str, File],
    fitting: Sequence[tags.Tag],
    environment: Mapping[str, str] | None = None,
) -> Plan:
    """Return the files that pip would take for the entries of lock files.

    Args:
        pins: the entries. One whose hashes are all unlisted is left out: nothing is known of it.
        listed: by SHA-256.
        fitting: the tags of a system and a Python, best first.
        environment: what markers read, where it is another than this.
    """
    ranks = {tag: rank for rank, tag in enumerate(fitting)}
    plan = Plan([], [])
    for entry in pins:
        pin, _, marker = pin_of(entry).partition(" ; ")
        if marker and not markers.Marker(marker).evaluate(dict(environment or {})):
            continue
        found = [listed[digest] for digest in _HASH.findall(entry) if digest in listed]
        ranked = [(rank, file.name, file) for file in found if (rank := _rank(file, ranks)) is not None]
        if ranked:
            plan.chosen.append(min(ranked, key=lambda fit: fit[:2])[2])
        elif found:
            plan.missing.append(pin)
    return plan


def _installed() -> set[tuple[str, str]]:
    found = ((package.metadata["Name"], package.version) for package in metadata.distributions())
    return {(utils.canonicalize_name(name), version) for name, version in found if name}


def main(arguments: list[str]) -> int:
    """Print the plan for this interpreter."""
    pins = [entry for path in arguments for entry in entries(Path(path).read_text("utf-8"))]
    installed = {"==".join(package) for package in _installed()}
    new = [entry for entry in pins if pin_of(entry).split(" ")[0] not in installed]
    plan = choose(new, files.read(), list(tags.sys_tags()))
    told = {
        "packages": len(plan.chosen),
        "size_bytes": sum(file.size_bytes for file in plan.chosen),
        "sources": [file.name for file in plan.chosen if not file.name.endswith(".whl")],
        "missing": plan.missing,
    }
    print(json.dumps(told))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
