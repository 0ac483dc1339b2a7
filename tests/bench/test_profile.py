"""Where a graph's time goes: each node of a kind, each run by itself, and what an operator costs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bench.measure import profile
from bench.measure.profile import KINDS, Profile, kernels, kind_of
from bench.report import markdown
from core import runtime


@pytest.mark.parametrize(
    ("name", "operator", "kind"),
    [
        ("unpadded_layer_0_qkv_u8", "QuantizeLinear", "quantizing"),
        ("layer_0_up_int8", "MatMulIntegerToFloat", "products"),
        ("layer_0_norm_sum_residual", "Mul", "normalization and residuals"),
        ("layer_0_norm_sum", "Add", "normalization and residuals"),
        ("layer_0_long_masked_scores", "Add", "attention"),
        ("layer_0_long_query", "Gather", "layout"),
        ("layout_by_length", "TopK", "layout"),
        ("heads_long_rows_0", "Add", "layout"),
        ("logit_pairs", "Gemm", "poolings and head"),
        ("unpadded_word_embedding_s8", "Gather", "embeddings"),
        ("feature_0_projection", "Gemm", "poolings and head"),
        ("probabilities", "Sigmoid", "poolings and head"),
        ("unpadded_least_0", "ReduceMin", "branches and the rest"),
    ],
)
def test_a_nodes_kind_is_by_its_name_or_its_operator(name, operator, kind):
    assert kind_of(name, operator) == kind


def test_each_run_has_its_own_kernels():
    def node(name, operator, start, took):
        times = {"ts": start, "dur": took, "args": {"op_name": operator}}
        return {"cat": "Node", "name": f"{name}_kernel_time", **times}

    def run(start):
        return {"cat": "Session", "name": "model_run", "ts": start, "dur": 9}

    events = [
        {"cat": "Session", "name": "model_loading", "ts": 0, "dur": 5},
        *(run(10), node("layer_0_gelu", "Gelu", 11, 3), node("choice", "If", 12, 50)),
        *(run(20), node("layer_0_gelu", "Gelu", 21, 4), node("layer_1_gelu", "Gelu", 25, 5)),
    ]
    assert kernels(events[::-1]) == [{"GELU": [3]}, {"GELU": [4, 5]}]


def test_a_real_profile_has_each_runs_nodes_by_kind(tiny_build, tmp_path):
    file = tiny_build.folder / "build" / "model_quantized.onnx"
    session = runtime.open_session(file, threads=1, profile=tmp_path / "profile")
    ids = [[2, 7, 8, 9, 3], [2, 7, 3]]
    for texts in (ids[:1], ids):
        session.run(None, runtime.feeds(*runtime.pad(texts)))
    alone, padded = kernels(json.loads(Path(session.end_profiling()).read_text("utf-8")))
    for found in (alone, padded):
        assert set(KINDS) - found.keys() <= {"projections with attention (`QAttention`)"}
        # query, key and value; the attention's output; up and down.
        assert (len(found["products"]), len(found["GELU"])) == (5, 1)
    assert len(alone["layout"]) < len(padded["layout"])


def test_a_graph_is_profiled_as_it_runs(tiny_build, monkeypatch):
    monkeypatch.setattr("core.timing.IDLE_SECONDS", 0)
    file = tiny_build.folder / "build" / "model_quantized.onnx"
    random = np.random.default_rng(0)
    ids = [random.integers(5, 60, length).tolist() for length in (9, 4, 7, 7)]
    alone, padded = (profile.profile(file, ids, size, 1) for size in (1, 2))
    for found in (alone, padded):
        assert 0 < found.dispatch < found.wall
        assert 0 < found.call < found.wall
        assert list(found.kinds) == list(KINDS)
    # A text alone has a branch of its own, without layout.
    assert 50 < alone.nodes < padded.nodes


def test_the_table_has_what_took_time():
    kinds = dict.fromkeys(KINDS, 0.0) | {"products": 60.0, "GELU": 20.0}
    found = Profile(wall=100.0, kinds=kinds, nodes=12.0, dispatch=10.0, call=4.0)
    lines = markdown.profiles({(1, 1): found, (2, 8): found}).splitlines()
    assert lines[0] == "| µs a run | batch 1, 1 thread | batch 8, 2 threads |"
    assert lines[2:] == [
        "| products | 60 (60%) | 60 (60%) |",
        "| GELU | 20 (20%) | 20 (20%) |",
        "| dispatch | 10 (10%) | 10 (10%) |",
        "| a call | 4 (4%) | 4 (4%) |",
        "| not explained | 6 (6%) | 6 (6%) |",
        "| in all | 100 (100%) | 100 (100%) |",
        "| operators run | 12 | 12 |",
    ]
