"""A Ray cluster of two one-core nodes on this machine, and a corpus of several windows."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROWS = 40_000


@pytest.fixture(scope="session")
def cluster():
    # Only `make test-ray` has Ray; pytest reads this file everywhere.
    from ray.cluster_utils import Cluster

    found = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    found.add_node(num_cpus=1)
    yield found
    found.shutdown()


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    """Two files, five windows and the rest; few distinct texts, so that a window takes a second."""
    folder = tmp_path_factory.mktemp("corpus")
    texts = [f"I love number {n}, " + "and why not " * (n % 7) for n in range(300)]
    odd = [None, "", "too long " * 1000]
    rows = [odd[n % 1000] if n % 1000 < 3 else texts[n * 7919 % 300] for n in range(ROWS)]
    for name, part in (("a", slice(0, 9_000)), ("b", slice(9_000, ROWS))):
        table = pa.table({"n": list(range(ROWS))[part], "text": rows[part]})
        pq.write_table(table, folder / f"{name}.parquet")
    return folder
