"""A Ray cluster of two one-core nodes on this machine, and a corpus of several windows."""

from __future__ import annotations

import pytest

from tests.support.corpus import write


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
    folder = tmp_path_factory.mktemp("corpus")
    write(folder)
    return folder
