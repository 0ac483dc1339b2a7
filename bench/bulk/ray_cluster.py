"""Ray on clusters of one-core nodes that this machine simulates, and what the object store carries."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ray.cluster_utils import Cluster

from score.engines import local
from score.engines.local import Columns
from score.engines.ray_engine import row
from score.input.corpus import survey
from score.job import run
from score.options import Options
from score.scorer import Scorer


def scaling(options: Options, counts: Sequence[int]) -> list[dict[str, Any]]:
    """Return, by number of nodes, the rate with and without the seconds before the first window came.

    The nodes share this machine's cores: beyond their number, nothing can be faster.
    """
    by_count = []
    for nodes in counts:
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
        for _ in range(nodes - 1):
            cluster.add_node(num_cpus=1)
        try:
            progress: list[tuple[float, int]] = []
            start = time.monotonic()
            on_cluster = replace(options, engine="ray", address=cluster.address)
            summary = run(on_cluster, lambda done, _, log=progress: log.append((time.monotonic(), done)))  # type: ignore[misc]
        finally:
            cluster.shutdown()
        # The first call says what is done before anything is scored.
        (first, before), (last, rows) = progress[1], progress[-1]
        by_count.append(
            {
                "nodes": nodes,
                "rows": summary.rows,
                "texts_per_second": summary.rows / (last - start),
                "seconds_to_first_window": first - start,
                "texts_per_second_after_it": (rows - before) / (last - first) if last > first else None,
            }
        )
    return by_count


def object_store(options: Options) -> dict[str, float]:
    """Return the bytes a text that the object store carries: windows in, windows with answers out."""
    source = survey(options.input, options.text_column)
    scorer = Scorer(options.artifact, options.variant)
    columns = Columns(scorer.labels, options.probabilities)
    window = next(source.windows())
    (scored,) = local.score(iter([window]), scorer, columns, options.text_column, options.callers)
    return {"in": row(window).nbytes / len(window), "out": row(scored).nbytes / len(window)}
