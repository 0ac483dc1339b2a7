"""Sessions, padding and order by length, which all rooms share."""

from __future__ import annotations

import ctypes
import os

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import cpu, runtime
from core.errors import ArtifactError, HeadError
from tests.support import artifacts
from tests.support.commands import python, run
from tests.support.onnx_files import marked

IDS = st.lists(st.lists(st.integers(0, 9), max_size=7), max_size=9)


@pytest.fixture
def graph(tmp_path):
    return artifacts.artifact(tmp_path / "tiny", {"fp32": 0.0}) / "onnx/model.onnx"


def test_a_file_and_its_bytes_open_alike(graph):
    feeds = runtime.feeds(*runtime.pad([[1, 2], [3]]))
    answers = [runtime.open_session(model).run(None, feeds) for model in (graph, graph.read_bytes())]
    assert all(map(np.array_equal, *answers))


def test_bytes_with_the_mark_of_another_format_are_read_as_a_file_is(graph, tmp_path):
    made = onnx.load(graph)
    made.ClearField("producer_name")
    content = marked(made.SerializeToString())
    feeds = runtime.feeds(*runtime.pad([[1, 2], [3]]))
    expected = runtime.open_session(graph).run(None, feeds)
    for name in ("x.onnx", "x.ort"):
        (tmp_path / name).write_bytes(content)
        for model in (tmp_path / name, content):
            assert all(map(np.array_equal, expected, runtime.open_session(model).run(None, feeds)))


def test_a_session_is_on_the_cpu_with_the_threads_asked_for(graph, monkeypatch):
    session = runtime.open_session(graph, threads=3, log_severity=runtime.LOG_NOTHING)
    assert session.get_providers() == ["CPUExecutionProvider"]
    options = session.get_session_options()
    assert (options.intra_op_num_threads, options.log_severity_level) == (3, 4)
    for stated, expected in (("1", 1), ("99999999999", cpu.usable_cpus()), ("two", 0), ("-1", 0), ("", 0)):
        monkeypatch.setenv("OMP_NUM_THREADS", stated)
        assert runtime.open_session(graph).get_session_options().intra_op_num_threads == expected


def test_what_does_not_load_is_one_error_that_names_it(tmp_path):
    path = tmp_path / "x.onnx"
    path.write_bytes(b"nonsense")
    with pytest.raises(ArtifactError, match=r"x\.onnx: onnxruntime does not load it: "):
        runtime.open_session(path)
    with pytest.raises(ArtifactError, match=r"^a graph in memory: onnxruntime does not load it: "):
        runtime.open_session(b"nonsense")
    with pytest.raises(HeadError, match=r"^the head: onnxruntime does not load it: "):
        runtime.open_session(b"nonsense", "the head", HeadError)


@given(IDS)
def test_what_is_padded_is_there_and_masked(ids):
    input_ids, mask = runtime.pad(ids)
    assert input_ids.shape == mask.shape == (len(ids), max(map(len, ids), default=0))
    assert input_ids.dtype == mask.dtype == np.int64
    assert [row[kept == 1].tolist() for row, kept in zip(input_ids, mask, strict=True)] == ids
    assert not input_ids[mask == 0].any()
    assert (np.diff(mask, axis=1) <= 0).all()
    assert all(map(np.array_equal, runtime.pad([np.array(row, np.int32) for row in ids]), (input_ids, mask)))


@given(IDS)
def test_order_is_by_length_stable_and_undone(ids):
    lengths = [len(row) for row in ids]
    order = runtime.by_length(lengths)
    assert order.tolist() == sorted(range(len(ids)), key=lambda index: lengths[index])
    falling = runtime.by_length(lengths, longest_first=True)
    assert falling.tolist() == sorted(range(len(ids)), key=lambda index: -lengths[index])
    for by in (order, falling):
        moved = [ids[index] for index in by]
        assert [moved[index] for index in runtime.inverse(by)] == ids


def test_the_runtime_writes_nothing_to_a_home_and_sends_nothing(graph, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    environment |= {"HOME": str(home), "XDG_CACHE_HOME": str(home)}
    found = run("verify", "parity", graph.parent.parent, env=environment)
    assert found.returncode == 0, found.stderr
    assert not list(home.iterdir())


# Opens a graph as onnxruntime does, or as we do; says how many bytes the process then has resident.
_RESIDENT = """
import sys
import core.start
import psutil
from pathlib import Path
from core import runtime
if sys.argv[1] == "ours":
    session = runtime.open_session(Path(sys.argv[2]), threads=1)
else:
    options = runtime.onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = runtime.onnxruntime.InferenceSession(sys.argv[2], options, providers=["CPUExecutionProvider"])
print(psutil.Process().memory_info().rss)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="another C library than glibc")
def test_what_loading_leaves_free_is_given_back(artifact):
    def resident(whose: str) -> int:
        found = python(_RESIDENT, whose, artifact / "onnx/model_quantized.onnx")
        assert found.returncode == 0, found.stderr
        return int(found.stdout)

    # 12.7 MB without VNNI; elsewhere weights are packed in other sizes, so a third of that.
    assert resident("onnxruntime's") - resident("ours") > 4e6
