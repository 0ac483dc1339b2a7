"""`python -m tests.fuzz.differences --count N [--start S]`: mutated models through `tests.fuzz.differential`.

Deterministic: an input is named by its number. Where strace is installed, the run is traced, and a file that
onnx or onnxruntime opens for a model, other than the model itself, is a failure, too. Exits with 1 where
there is one; what failed is kept in build/fuzz/differences.
"""

from __future__ import annotations

import core.start  # isort: skip  # noqa: F401  what fails or is interrupted from here on ends in a line

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

from core.cli import parser
from core.errors import ToolchainError
from tests.fuzz import differential, mutate, mutate_functions, mutate_onnx, seeds
from tests.support.places import ROOT

PLACE = ROOT / "build" / "fuzz" / "differences"
_BYTES_ALONE = 0.1
_MARK = "/differential/"
# Of the fork: its own limits, standard error, the model, and the profile that onnxruntime was asked for.
_OPENED = re.compile(
    r"/proc/self/\w+|/dev/null|/sys/devices/system/cpu/\S*|/proc/cpuinfo|.*/scratch/model\.onnx(_[-\d_]+\.json)?"
)
_CALL = re.compile(r'^(\d+) +(\w+)\((?:AT_FDCWD, )?"((?:[^"\\]|\\.)*)"')


def case(models: list[bytes], number: int) -> bytes:
    """Return the input of a number; nine in ten are changes of structure."""
    random = Random(f"differences/{number}")
    content = random.choice(models)
    if random.random() < _BYTES_ALONE:
        return mutate.mutated(content, random)
    return mutate_onnx.mutated(content, random)


def models() -> list[bytes]:
    """Write the seeds anew; return heads, and graphs of artifacts, one with branches."""
    folder = PLACE / "seeds"
    shutil.rmtree(folder, ignore_errors=True)
    seeds.write_heads(folder / "head")
    seeds.write_artifacts(folder / "artifact")
    return [path.read_bytes() for path in sorted(folder.rglob("*.onnx"))]


def run(start: int, count: int) -> int:
    """Compare the inputs of these numbers; return how many differ."""
    scratch, outcomes, found = PLACE / "scratch", Counter[str](), 0
    originals = models()
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    (scratch / mutate_functions.ELSEWHERE).write_bytes(bytes(12))
    for number in range(start, start + count):
        content = case(originals, number)
        os.path.exists(f"{_MARK}{number}")  # noqa: PTH110  a line of the trace, and nothing else
        try:
            nodes = differential.counted(content)
        except ToolchainError:
            outcomes["refused"] += 1
            continue
        facts, code = differential.facts(content, scratch)
        stages = {name for name, _ in facts}
        outcomes["ran" if "ran" in stages else "does not run" if code == 0 else "ended by a limit"] += 1
        problem = differential.judge(nodes, facts, code)
        if problem:
            found += 1
            print(f"  {number}: {problem}", flush=True)
            (PLACE / f"{number}.onnx").write_bytes(content)
    said = ", ".join(f"{n:,} {name}" for name, n in sorted(outcomes.items()))
    print(f"inputs {start} to {start + count - 1}: {said}; {found} differ", flush=True)
    return found


def opened(trace: Path) -> Iterator[tuple[str, str]]:
    """Yield the number of an input, and a file that its fork named to the system and should not have."""
    number, parent = "", ""
    with trace.open("r", encoding="utf-8", errors="replace") as lines:
        for line in lines:
            call = _CALL.match(line)
            if call is None:
                continue
            process, name, path = call.groups()
            if path.startswith(_MARK):
                number, parent = path.removeprefix(_MARK), process
            elif number and process != parent and path and not _OPENED.fullmatch(path):
                yield number, f"{name} {path}"


def traced(line: list[str], trace: Path) -> subprocess.CompletedProcess[bytes]:
    """Run a command line, and write every file that it and its forks name to the system."""
    options = ["-f", "--seccomp-bpf", "-qq", "-e", "trace=%file", "-e", "signal=none", "-o", str(trace)]
    return subprocess.run(["strace", *options, *line], cwd=ROOT, check=False)


def main() -> int:
    """Compare the inputs of the command line; 1 where one differs."""
    line = parser("python -m tests.fuzz.differences", __doc__)
    line.add_argument("--count", type=int, required=True, help="how many inputs")
    line.add_argument("--start", type=int, default=0, help="number of the first")
    line.add_argument("--untraced", action="store_true", help="without strace")
    given = line.parse_args()
    PLACE.mkdir(parents=True, exist_ok=True)
    if given.untraced or not shutil.which("strace"):
        return int(run(given.start, given.count) > 0)
    trace = PLACE / "trace"
    again = [sys.executable, "-m", "tests.fuzz.differences", "--untraced"]
    line = [*again, "--start", str(given.start), "--count", str(given.count)]
    code = traced(line, trace).returncode
    found = Counter(opened(trace))
    for (number, call), times in found.items():
        print(f"  {number}: {call}, {times} times")
    print(f"files outside the known: {len(found)}")
    return int(code != 0 or bool(found))


if __name__ == "__main__":
    sys.exit(main())
