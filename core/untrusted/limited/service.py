"""Serve in the limited process: answer a parent's requests until it is gone.

Requests are answered as they come, each in a thread of its own; answers carry the request's number.
"""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from core.untrusted.limited import frames
from core.untrusted.limited.frames import Header, Value
from core.untrusted.limited.kernel import Limits

# What it does with a request's header and values: a header and values.
Function = Callable[[Header, list[Value]], tuple[Header, list[Value]]]
Allow = Callable[[int, float], object]

_THREADS = 64
_LONGEST_MESSAGE = 10_000


def _take_pipes() -> tuple[int, int]:
    """Keep standard input and output for the parent alone; what libraries print goes nowhere."""
    pipes = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    return pipes


def serve(functions: Mapping[str, Function], source: int, target: int, allow: Allow) -> None:
    """Answer requests until the parent is gone.

    Args:
        functions: what may be asked for, by name.
        source: the pipe to read requests from.
        target: the pipe to write answers to.
        allow: told of the memory and the seconds that the requests under way may take.
    """
    lock, pool = threading.Lock(), ThreadPoolExecutor(_THREADS)

    def answer(header: Header, values: list[Value]) -> None:
        number = {"number": header["number"]}
        try:
            told, found = functions[header["function"]](header, values)
            pieces = frames.pack({**number, **told}, found, header["answer"])
        except MemoryError:
            pieces = frames.pack({**number, "failed": "takes more memory than it may"}, [])
        except Exception as error:  # whatever a library raises is the parent's to say
            failed = str(error).encode("utf-8", "backslashreplace").decode()[:_LONGEST_MESSAGE]
            pieces = frames.pack({**number, "failed": failed or type(error).__name__}, [])
        frames.write(answers, pieces, lock)

    with io.FileIO(source, "r") as requests, io.FileIO(target, "w") as answers:
        frames.write(answers, frames.pack({"number": 0}, []), lock)
        while (message := frames.read_header(requests)) is not None:
            header, size = message
            allow(header["memory"], header["seconds"])
            values = frames.read_values(requests, header, size)
            if values is None:
                break
            pool.submit(answer, header, values)


def run(functions: Mapping[str, Function]) -> None:
    """Be a limited process: answer on standard output what is asked on standard input, then end."""
    try:
        serve(functions, *_take_pipes(), Limits().allow)
    finally:
        # Threads may be at work for as long as they like: nobody waits for them.
        os._exit(0)
