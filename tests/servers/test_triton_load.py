"""Triton under load: many callers, ten thousand requests, and no answer that its batch mates change."""

from __future__ import annotations

import pytest

from bench.servers.load import HEADER

pytestmark = [pytest.mark.consumers, pytest.mark.load]
REQUESTS = 10_000


def test_no_answer_differs(package, under_load):
    print(f"Triton, Python backend, {package[1].variant}", HEADER, sep="\n")
    for callers, requests in ((1, 300), (8, 1_000), (32, REQUESTS)):
        found = under_load(callers=callers, requests=requests, max_seconds=1800)
        print(found.row(), flush=True)
        assert (found.answered, found.failed, found.different) == (requests, 0, 0), found.first_failure
        assert found.largest_change <= 1e-6
