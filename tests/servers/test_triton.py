"""Triton's model repository, against its own protobuf schema and the graph as onnxruntime reads it."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import onnxruntime
import pytest

from deliver import triton
from deliver.source import Tensor, open_source
from tests.support.places import ROOT
from tests.support.snippets import run_shell, snippet
from tests.support.triton import read_config

pytestmark = pytest.mark.consumers
TYPES = {"tensor(int64)": "TYPE_INT64", "tensor(float)": "TYPE_FP32", "tensor(bool)": "TYPE_BOOL"}


@pytest.fixture
def source(artifact, variant):
    return open_source(artifact, variant)


@pytest.fixture
def repository(source, tmp_path):
    triton.fill(source, tmp_path)
    return tmp_path


def test_the_layout(repository, source):
    found = sorted(
        path.relative_to(repository).as_posix() for path in repository.rglob("*") if path.is_file()
    )
    inside = [f"{source.name}/{name}" for name in ("1/model.onnx", "config.pbtxt", "labels.txt")]
    assert found == sorted([*inside, "README.md", "thresholds.json", "tokenizer.json"])
    assert (repository / source.name / "1" / "model.onnx").read_bytes() == source.file.read_bytes()


def test_the_config_is_of_the_schema_and_says_what_the_graph_says(repository, source):
    config = read_config(repository, source.name)
    session = onnxruntime.InferenceSession(source.file)
    kinds = type(config).DESCRIPTOR.file.enum_types_by_name["DataType"].values_by_number
    assert (config.name, config.backend) == (source.name, "onnxruntime")
    assert config.HasField("dynamic_batching")
    assert config.max_batch_size == triton.MAX_BATCH
    assert config.dynamic_batching.max_queue_delay_microseconds == triton.QUEUE_DELAY_MICROSECONDS
    for stated, values in ((config.input, session.get_inputs()), (config.output, session.get_outputs())):
        assert [tensor.name for tensor in stated] == [value.name for value in values]
        for tensor, value in zip(stated, values, strict=True):
            assert kinds[tensor.data_type].name == TYPES[value.type]
            assert isinstance(value.shape[0], str), "the batch axis is dynamic"
            wanted = [-1 if isinstance(axis, str) else axis for axis in value.shape[1:]]
            assert list(tensor.dims) == wanted


def test_labels_are_the_graphs_columns(repository, source):
    config = read_config(repository, source.name)
    session = onnxruntime.InferenceSession(source.file)
    labels = json.loads(session.get_modelmeta().custom_metadata_map["labels"])
    assert {tensor.label_filename for tensor in config.output} == {"labels.txt"}
    assert (repository / source.name / "labels.txt").read_text("utf-8").splitlines() == labels


def test_names_of_any_kind_are_read_back(source, tmp_path):
    names = ['say "no"', "back\\slash", "tab\tand\x01", "ünï 😀", "joy"]
    outputs = [Tensor(name, "tensor(float)", (None, 2)) for name in names]
    (tmp_path / source.name).mkdir()
    text = triton.config(dataclasses.replace(source, outputs=outputs), "onnxruntime")
    (tmp_path / source.name / "config.pbtxt").write_text(text, "utf-8")
    config = read_config(tmp_path, source.name)
    assert [tensor.name for tensor in config.output] == names
    assert [list(tensor.dims) for tensor in config.output] == [[2]] * len(names)
    # A per-label output's two columns are negative and positive, not labels.
    assert {tensor.label_filename for tensor in config.output} == {""}


def test_the_longest_batch_runs(source):
    session = onnxruntime.InferenceSession(source.file)
    ids = np.full((triton.MAX_BATCH, source.max_length), 2023)
    found = session.run(["predictions"], {"input_ids": ids, "attention_mask": np.ones_like(ids)})[0]
    assert found.shape == (triton.MAX_BATCH, len(source.labels))


def test_the_documents_lines_run():
    printed = "\n".join(run_shell(snippet("## Servers", "sh", "docs/runtimes.md"), ROOT))
    for server, variant in (
        ("triton-python", "text"),
        ("triton", "int8"),
        ("infinity", "int8"),
        ("tei", "int8"),
    ):
        folder = f"dist/minilm-l6-go-emotions-{server}"
        assert f"{folder} ({variant}" in printed
        assert (ROOT / folder / "README.md").is_file()
