"""Join texts that wait to batches: as soon as the graph is free, and no later.

No text waits for others to come: alone it is a batch of one, and batches grow with the load by themselves.
Where several callers are idle, what waits is divided between them: one batch on two cores takes them longer
than two batches do.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.artifact.graph import Answers

# Beyond it, whoever asks is told to come again: a few seconds of work for two cores.
WAITING = 4_096


class BusyError(Exception):
    """More texts wait than may."""


class Row(NamedTuple):
    """What the graph answers to one text: float32 probabilities and bool predictions, `[labels]`."""

    probabilities: NDArray[np.float32]
    predictions: NDArray[np.bool_]


class _Text(NamedTuple):
    ids: list[int]
    answer: asyncio.Future[Row]


class Batcher:
    """Batches of one graph. One event loop alone may use it."""

    def __init__(
        self,
        run: Callable[[list[list[int]]], Answers],
        pool: ThreadPoolExecutor,
        callers: int,
        budget: int,
        note: Callable[[int, float], object],
    ) -> None:
        """Run nothing yet.

        Args:
            run: what answers a batch of token ids, in a thread of `pool`.
            pool: at least `callers` threads.
            callers: how many batches run at the same time.
            budget: how many padded tokens a batch of more than one text may have.
            note: told of each batch: how many texts, and how many seconds it ran.
        """
        self._run, self._pool, self._budget, self._note = run, pool, budget, note
        self._idle = callers
        self._waiting: deque[_Text] = deque()
        self._running: set[asyncio.Task[None]] = set()

    @property
    def waiting(self) -> int:
        """How many texts wait for a batch to take them."""
        return len(self._waiting)

    async def answer(self, ids: Sequence[list[int]]) -> list[Row]:
        """Return the answers to some texts, which may run in several batches.

        Raises:
            BusyError: too many texts wait; none of these was taken.
            ToolchainError: the graph failed on a batch that had one of them.
        """
        if len(self._waiting) + len(ids) > WAITING:
            raise BusyError
        loop = asyncio.get_running_loop()
        texts = [_Text(row, loop.create_future()) for row in ids]
        self._waiting += texts
        self._start()
        return await asyncio.gather(*(text.answer for text in texts))

    def _take(self) -> list[_Text]:
        """Take an idle caller's share, first come first; texts that nobody waits for are left out."""
        share = sum(len(text.ids) for text in self._waiting) / self._idle
        batch: list[_Text] = []
        longest = tokens = 0
        while self._waiting and (not batch or tokens < share):
            text = self._waiting[0]
            if not text.answer.done():
                longest = max(longest, len(text.ids))
                if batch and longest * (len(batch) + 1) > self._budget:
                    break
                batch.append(text)
                tokens += len(text.ids)
            self._waiting.popleft()
        return batch

    def _start(self) -> None:
        while self._idle and (batch := self._take()):
            self._idle -= 1
            task = asyncio.get_running_loop().create_task(self._answer(batch))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _answer(self, batch: list[_Text]) -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        try:
            found = await loop.run_in_executor(self._pool, self._run, [text.ids for text in batch])
        except Exception as error:  # whatever it is, it is the callers' to hear
            for text in batch:
                if not text.answer.done():
                    text.answer.set_exception(error)
        else:
            self._note(len(batch), loop.time() - begun)
            for text, *row in zip(batch, found.probabilities, found.predictions, strict=True):
                if not text.answer.done():
                    text.answer.set_result(Row(*row))
        finally:
            self._idle += 1
            self._start()
