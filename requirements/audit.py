"""Look all pins up in the advisories: `python -m requirements.audit PIP_AUDIT [--accept ID …] FILE …`.

Every file is looked at, whatever was found in those before and whatever a registry answers; a pin that could
not be looked up has not been audited, and is named. The exit status is 1 where there is an advisory, else 2
where a pin was not looked up. Standard library only.
"""

from __future__ import annotations

import core.start  # isort: skip  # noqa: F401  what fails or is interrupted from here on ends in a line

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from core.cli import parser
from core.ends import FAILED, VERDICT
from requirements.pin import entries

_OPTIONS = ("--require-hashes", "--disable-pip", "--progress-spinner=off", "--format=json")
# After so many that fail one after the other, the rest of a file is not asked for.
_PATIENCE = 3
_SECONDS = 600
_NOT_LOOKED_UP = "could not be looked up"


class _FailedError(Exception):
    """pip-audit ended without an answer; the message is its last line."""


def _ask(command: Sequence[str], listed: Path) -> list[dict[str, Any]]:
    """Return pip-audit's answer, an object a pin.

    Raises:
        _FailedError: there is none.
    """
    line = [*command, *_OPTIONS, f"--requirement={listed}"]
    try:
        ended = subprocess.run(line, check=False, capture_output=True, text=True, timeout=_SECONDS)
        # 1 where it found something, too.
        answered: list[dict[str, Any]] = json.loads(ended.stdout)["dependencies"]
    except subprocess.TimeoutExpired as error:
        raise _FailedError(f"no answer within {_SECONDS} s") from error
    except (ValueError, KeyError, TypeError) as error:
        said = ended.stderr.strip().splitlines() or [f"exit status {ended.returncode}, nothing said"]
        raise _FailedError(said[-1]) from error
    return answered


def _problems(answered: Iterable[dict[str, Any]]) -> list[str]:
    """Return a sentence for each advisory, and for each pin that was not looked up."""
    found = []
    for pin in answered:
        if "skip_reason" in pin:
            found.append(f"{pin['name']}: {_NOT_LOOKED_UP}: {pin['skip_reason']}")
        for advisory in pin.get("vulns", []):
            mended = ", ".join(advisory.get("fix_versions", [])) or "no version"
            found.append(f"{pin['name']} {pin['version']}: {advisory['id']}, mended in {mended}")
    return found


def _one_by_one(command: Sequence[str], pins: Sequence[str]) -> list[str]:
    found, failed = [], 0
    with tempfile.TemporaryDirectory() as scratch:
        for pin in pins:
            name = pin.split(" ")[0]
            if failed == _PATIENCE:
                found.append(f"{name}: {_NOT_LOOKED_UP}: not asked for, after {_PATIENCE} that failed")
                continue
            listed = Path(scratch) / "requirements.txt"
            listed.write_text(pin, "utf-8")
            try:
                found += _problems(_ask(command, listed))
                failed = 0
            except _FailedError as error:
                found.append(f"{name}: {_NOT_LOOKED_UP}: {error}")
                failed += 1
    return found


def _public(text: str) -> str:
    """Return a lock file with public versions: an advisory on torch 2.13.0 is one on 2.13.0+cpu."""
    return re.sub(r"^([a-z0-9-]+==[^\s+]+)\+\w+", r"\1", text, flags=re.MULTILINE)


def audit(command: Sequence[str], listed: Path) -> list[str]:
    """Return what is wrong with the pins of a lock file, a sentence each: an advisory, or no answer.

    Args:
        command: pip-audit, and what is accepted.
        listed: the lock file.
    """
    text = _public(listed.read_text("utf-8"))
    pins = entries(text)
    with tempfile.TemporaryDirectory() as scratch:
        public = Path(scratch) / listed.name
        public.write_text(text, "utf-8")
        try:
            answered = _ask(command, public)
        except _FailedError:
            return _one_by_one(command, pins)
    told = {pin["name"].lower() for pin in answered}
    # A pin for another system is in no answer; it is looked up with the files of that system.
    untold = [pin.split(" ")[0] for pin in pins if ";" not in pin and pin.split("==")[0].lower() not in told]
    return [*_problems(answered), *(f"{pin}: {_NOT_LOOKED_UP}: no answer for it" for pin in untold)]


def main(arguments: list[str]) -> int:
    """Audit every file; 1 where there is an advisory, else 2 where something was not looked up."""
    summary = "Look pins up in the advisories."
    line = parser("python -m requirements.audit", summary)
    line.add_argument("pip_audit")
    line.add_argument("files", type=Path, nargs="+")
    line.add_argument(
        "--accept", action="append", default=[], help="an advisory that is accepted (default: none)"
    )
    given = line.parse_args(arguments)
    command = [given.pip_audit, *(f"--ignore-vuln={name}" for name in given.accept)]
    found: list[str] = []
    for listed in given.files:
        try:
            problems = audit(command, listed)
        except OSError as error:
            problems = [f"cannot be audited, {_NOT_LOOKED_UP}: {error}"]
        print(f"  audit    {listed}: {len(problems) or 'nothing'} found", flush=True)
        for problem in problems:
            print(f"error: {listed}: {problem}", file=sys.stderr, flush=True)
        found += problems
    if any(_NOT_LOOKED_UP not in problem for problem in found):
        return VERDICT
    return FAILED if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
