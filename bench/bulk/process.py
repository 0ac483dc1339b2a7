"""What the benchmark measures of `python -m score` as a process: memory, and what kills cost."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.errors import ScoreError
from score.options import Options

_SAMPLE_SECONDS = 0.5
_WARM_SECONDS = 60.0


def _command(options: Options, *more: str) -> list[str]:
    places = [str(options.artifact), options.input, str(options.output)]
    return [sys.executable, "-m", "score", *places, "--variant", options.variant, *more]


def _start(command: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def _wait(process: subprocess.Popen[str]) -> None:
    _, said = process.communicate()
    if process.returncode:
        raise ScoreError(f"python -m score ended with {process.returncode}: {said.strip()}")


def _resident_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text("utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


def memory(options: Options, seconds: float) -> dict[str, Any]:
    """Run `python -m score` for at most `seconds`, and return its resident memory after the first minute.

    `spread` is (largest - smallest) / smallest of the means of tenths of that time; `drift` compares the last
    tenth with the first.
    """
    process = _start(_command(options, "--probabilities"))
    start, samples = time.monotonic(), []
    while process.poll() is None and time.monotonic() - start < seconds:
        samples.append((time.monotonic() - start, _resident_bytes(process.pid)))
        time.sleep(_SAMPLE_SECONDS)
    # Not SIGINT: a shell lets what it runs in the background ignore that.
    process.terminate()
    process.communicate()
    warm = [size for at, size in samples if at >= _WARM_SECONDS and size]
    if len(warm) < 20:
        raise ScoreError(
            f"{options.input}: {len(warm)} samples after the first minute, expected 20; more rows"
        )
    step = len(warm) // 10
    tenths = [sum(warm[i * step : (i + 1) * step]) / step for i in range(10)]
    return {
        "seconds": samples[-1][0],
        "mb_by_tenth": [size / 1e6 for size in tenths],
        "largest_mb": max(warm) / 1e6,
        "spread": (max(tenths) - min(tenths)) / min(tenths),
        "drift": tenths[-1] / tenths[0] - 1,
    }


def kills(options: Options, count: int, seed: int = 0) -> dict[str, Any]:
    """Kill `python -m score --resume` `count` times at random moments, and compare with a run left alone.

    A run that finishes before its kill is started again from nothing, and the kill is not counted.
    """
    chance = random.Random(seed)
    started = time.monotonic()
    _wait(_start(_command(options, "--probabilities")))
    longest = time.monotonic() - started
    expected = hashlib.sha256(options.output.read_bytes()).hexdigest()
    killed, finished, same = 0, 0, 0
    moments = []
    while killed < count or not options.output.exists():
        if options.output.exists():
            finished += 1
            same += hashlib.sha256(options.output.read_bytes()).hexdigest() == expected
            options.output.unlink()
        process = _start(_command(options, "--probabilities", "--resume", "--checkpoint-seconds", "0"))
        if killed < count:
            moments.append(chance.uniform(0.0, longest))
            try:
                process.communicate(timeout=moments[-1])
                continue
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                killed += 1
        else:
            _wait(process)
    finished += 1
    same += hashlib.sha256(options.output.read_bytes()).hexdigest() == expected
    return {"kills": killed, "finished": finished, "same_bytes": same, "moments": moments}


def _told(command: list[str]) -> float:
    """Return the texts/s that a command tells in its last line."""
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    line = " ".join(command)
    if ended.returncode:
        raise ScoreError(f"{line}: ended with {ended.returncode}: {ended.stderr.strip()}")
    try:
        told = json.loads((ended.stdout.splitlines() or [""])[-1])
        return float(told["texts"] / told["seconds"])
    except (ValueError, KeyError, TypeError) as error:
        raise ScoreError(f"{line}: its last line is not texts and seconds: {error}") from error


def against(options: Options, other: Sequence[str], rounds: int) -> dict[str, Any]:
    """Return texts/s of `python -m score` and of another command on the same input, in turns.

    Each prints `{"texts": …, "seconds": …}` as its last line; seconds leave out starting and loading.
    """
    ours = [sys.executable, "-m", "bench.bulk.benchmark", "once", str(options.artifact), options.input]
    found: dict[str, list[float]] = {"score": [], "other": []}
    for _ in range(rounds):
        for name, command in (("score", ours), ("other", [*other, options.input])):
            found[name].append(_told(command))
    ratios = sorted(s / o for s, o in zip(found["score"], found["other"], strict=True))
    return {"texts_per_second": found, "ratio": ratios[len(ratios) // 2]}
