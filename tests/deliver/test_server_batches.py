"""Texts that wait become batches: when, how large, whose answer is whose."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from core.artifact.graph import Answers
from core.errors import ArtifactError
from deliver.server import batcher
from deliver.server.batcher import Batcher, BusyError


class Graph:
    """Answers a text with its first id, once it is let; fails on a batch that holds a 13."""

    def __init__(self):
        self.batches: list[list[int]] = []
        self.let, self.begun = threading.Event(), threading.Semaphore(0)
        self.let.set()

    def run(self, ids):
        self.batches.append([row[0] for row in ids])
        self.begun.release()
        assert self.let.wait(10)
        if any(row[0] == 13 for row in ids):
            raise ArtifactError("fails on 13")
        found = np.array([[row[0]] for row in ids], np.float32)
        return Answers(found, found / 100, found > 5)


@pytest.fixture
def graph():
    return Graph()


@pytest.fixture
def run(graph):
    """Run a coroutine that takes a batcher."""

    def call(work, callers=1, budget=12):
        notes = []

        async def inside():
            made = Batcher(graph.run, pool, callers, budget, lambda texts, seconds: notes.append(texts))
            return await work(made)

        with ThreadPoolExecutor(callers) as pool:
            found = asyncio.run(inside())
        return found, notes

    return call


async def begin(graph, batches=1):
    """Return once so many batches run."""
    for _ in range(batches):
        assert await asyncio.get_running_loop().run_in_executor(None, graph.begun.acquire, True, 10)


def values(rows):
    return [(round(float(row.probabilities[0]) * 100), bool(row.predictions[0])) for row in rows]


def test_alone_a_text_waits_for_nobody(graph, run):
    async def work(made):
        return [values(await made.answer([[number]])) for number in (3, 7)]

    found, notes = run(work)
    assert found == [[(3, False)], [(7, True)]]
    assert graph.batches == [[3], [7]]
    assert notes == [1, 1]


def test_what_comes_while_the_graph_is_busy_is_the_next_batch_within_its_tokens(graph, run):
    async def work(made):
        graph.let.clear()
        first = asyncio.create_task(made.answer([[1]]))
        await begin(graph)
        later = [
            asyncio.create_task(made.answer(ids))
            for ids in ([[2, 0, 0], [3]], [[4, 0, 0]], [[5, 0, 0, 0]], [[6] * 20], [[7]])
        ]
        await asyncio.sleep(0)
        assert made.waiting == 6
        graph.let.set()
        return [values(rows) for rows in await asyncio.gather(first, *later)]

    found, notes = run(work)
    # Three of 3 padded tokens; a fourth of 4 would make 16, above 12. One above it all runs by itself.
    assert graph.batches == [[1], [2, 3, 4], [5], [6], [7]]
    assert notes == [1, 3, 1, 1, 1]
    texts = [[1], [2, 3], [4], [5], [6], [7]]
    assert found == [[(number, number > 5) for number in row] for row in texts]


def test_as_many_batches_run_at_once_as_may(graph, run):
    async def work(made):
        graph.let.clear()
        asked = [asyncio.create_task(made.answer([[number]])) for number in range(1, 5)]
        await begin(graph, 2)
        assert (len(graph.batches), made.waiting) == (2, 2)
        graph.let.set()
        return [values(rows)[0][0] for rows in await asyncio.gather(*asked)]

    assert run(work, callers=2)[0] == [1, 2, 3, 4]


def test_what_waits_is_divided_by_its_tokens_between_the_idle(graph, run):
    async def work(made):
        graph.let.clear()
        asked = asyncio.create_task(made.answer([[1, 0, 0], [2], [3], [4, 0], [5]]))
        await begin(graph, 2)
        assert made.waiting == 0
        graph.let.set()
        return [number for number, _ in values(await asked)]

    # Four of eight tokens each.
    assert run(work, callers=2)[0] == [1, 2, 3, 4, 5]
    assert sorted(graph.batches) == [[1, 2], [3, 4, 5]]
    graph.batches.clear()
    # The first is of three tokens, and leaves five to the others.
    assert run(work, callers=3)[0] == [1, 2, 3, 4, 5]
    assert sorted(graph.batches) == [[1], [2, 3, 4], [5]]


def test_a_text_without_tokens_is_answered(graph, run):
    graph.run = lambda ids: Answers(*(np.zeros((len(ids), 1), kind) for kind in ("f4", "f4", "?")))

    async def work(made):
        return await asyncio.wait_for(made.answer([[], []]), 10)

    assert len(run(work, callers=2)[0]) == 2


def test_a_batch_that_fails_is_its_own_texts_error(graph, run):
    async def work(made):
        graph.let.clear()
        first = asyncio.create_task(made.answer([[1]]))
        await begin(graph)
        later = [asyncio.create_task(made.answer(ids)) for ids in ([[2], [13]], [[3, 0, 0, 0, 0]], [[4] * 9])]
        await asyncio.sleep(0)
        graph.let.set()
        return await asyncio.gather(first, *later, return_exceptions=True)

    first, failed, beside, after = run(work)[0]
    assert graph.batches == [[1], [2, 13], [3], [4]]
    assert values(first) == [(1, False)]
    assert isinstance(failed, ArtifactError)
    assert values(beside) == [(3, False)]
    assert values(after) == [(4, False)]


def test_whose_caller_has_gone_is_left_out(graph, run):
    async def work(made):
        graph.let.clear()
        first = asyncio.create_task(made.answer([[1]]))
        await begin(graph)
        gone, stays = (asyncio.create_task(made.answer([[number]])) for number in (2, 3))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        graph.let.set()
        return values(await first) + values(await stays)

    assert run(work)[0] == [(1, False), (3, False)]
    assert graph.batches == [[1], [3]]


def test_more_than_may_wait_are_refused_as_a_whole(graph, run, monkeypatch):
    monkeypatch.setattr(batcher, "WAITING", 3)

    async def work(made):
        graph.let.clear()
        first = asyncio.create_task(made.answer([[1]]))
        await begin(graph)
        second = asyncio.create_task(made.answer([[2], [3]]))
        await asyncio.sleep(0)
        with pytest.raises(BusyError):
            await made.answer([[4], [5]])
        third = asyncio.create_task(made.answer([[6]]))
        await asyncio.sleep(0)
        graph.let.set()
        return [values(rows) for rows in await asyncio.gather(first, second, third)]

    assert [len(rows) for rows in run(work)[0]] == [1, 2, 1]
    assert graph.batches == [[1], [2, 3, 6]]
