"""Measure `python -m score` as a process: its memory, what kills cost, and another command beside it."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from core.errors import ScoreError
from core.timing import ratio
from score.options import Options
from score.output.progress import PROGRESS_FILE
from score.output.segments import folder_of

_SAMPLE_SECONDS = 0.5
_WARM_SECONDS = 60.0


def _start(options: Options, *more: str) -> subprocess.Popen[str]:
    places = [str(options.artifact), options.input, str(options.output)]
    command = [sys.executable, "-m", "score", *places, "--variant", options.variant, "--probabilities", *more]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def _finish(process: subprocess.Popen[str], timeout: float | None = None) -> None:
    _, message = process.communicate(timeout=timeout)
    if process.returncode:
        raise ScoreError(f"python -m score ended with {process.returncode}: {message.strip()}")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def memory(options: Options, seconds: float) -> dict[str, Any]:
    """Run `python -m score` for at most `seconds`, and return its resident memory after the first minute.

    `spread` is (largest - smallest) / smallest of the means of tenths of that time; `drift` compares the last
    tenth with the first.
    """
    process = _start(options)
    watched = psutil.Process(process.pid)
    start, samples = time.monotonic(), []
    while process.poll() is None and time.monotonic() - start < seconds:
        with suppress(psutil.NoSuchProcess):
            samples.append((time.monotonic() - start, watched.memory_info().rss))
        time.sleep(_SAMPLE_SECONDS)
    # Not SIGINT: a shell lets what it runs in the background ignore that.
    process.terminate()
    process.communicate()
    # A process that has just ended has 0.
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


def _lost_seconds(options: Options) -> float:
    """Return how long ago a run that was killed just now had kept all that it had done."""
    try:
        # It writes its list before it begins, and each time that it keeps something.
        kept = (folder_of(options.output) / PROGRESS_FILE).stat().st_mtime
    except FileNotFoundError:
        return 0.0
    return max(time.time() - kept, 0.0)


def kills(options: Options, count: int, seed: int = 0) -> dict[str, Any]:
    """Kill `python -m score --resume` `count` times at random moments, and compare with a run left alone.

    A run that finishes before its kill is started again from nothing, and the kill is not counted.
    `lost_seconds` is the work that each kill cost.
    """
    chance = random.Random(seed)
    started = time.monotonic()
    _finish(_start(options))
    longest = time.monotonic() - started
    expected = _sha256(options.output)
    options.output.unlink()
    killed, same, moments, lost = 0, [], [], []
    while True:
        process = _start(options, "--resume", "--checkpoint-seconds", str(options.checkpoint_seconds))
        if killed < count:
            moments.append(chance.uniform(0.0, longest))
        try:
            _finish(process, moments[-1] if killed < count else None)
        except subprocess.TimeoutExpired:
            process.kill()
            lost.append(_lost_seconds(options))
            process.communicate()
            killed += 1
        if options.output.exists():
            same.append(_sha256(options.output) == expected)
            options.output.unlink()
            if killed == count:
                counts = {"kills": killed, "finished": len(same), "same_bytes": sum(same)}
                return {**counts, "moments": moments, "seconds": longest, "lost_seconds": lost}


def _rate(command: list[str]) -> float:
    """Return the texts/s that a command's last line says."""
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    line = " ".join(command)
    if ended.returncode:
        raise ScoreError(f"{line}: ended with {ended.returncode}: {ended.stderr.strip()}")
    try:
        answer = json.loads((ended.stdout.splitlines() or [""])[-1])
        return float(answer["texts"] / answer["seconds"])
    except (ValueError, KeyError, TypeError) as error:
        raise ScoreError(f"{line}: its last line is not texts and seconds: {error}") from error


def against(options: Options, other: Sequence[str], rounds: int) -> dict[str, Any]:
    """Return texts/s of `python -m score` and of another command on the same input, in turns.

    Each prints `{"texts": …, "seconds": …}` as its last line; seconds leave out starting and loading.
    """
    ours = [sys.executable, "-m", "bench", "bulk", "once", str(options.artifact), options.input]
    rates: dict[str, list[float]] = {"score": [], "other": []}
    for _ in range(rounds):
        for name, command in (("score", ours), ("other", [*other, options.input])):
            rates[name].append(_rate(command))
    return {"texts_per_second": rates, "ratio": ratio(rates["score"], rates["other"]).median}
