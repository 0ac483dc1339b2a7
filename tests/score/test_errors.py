"""Bad input gives one clear error, and leaves nothing behind."""

from __future__ import annotations

import shutil
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.errors import ScoreError
from score.job import run
from score.options import Options
from tests.support.artifacts import listed, set_metadata


@pytest.fixture
def corpus(tmp_path):
    pq.write_table(pa.table({"n": [1, 2], "text": ["a", "b"]}), tmp_path / "in.parquet")
    (tmp_path / "good.csv").write_text("n,text\n1,a\n")
    return tmp_path


def refused(run, folder, *words):
    before = sorted(folder.rglob("*"))
    code, printed = run()
    assert code == 2
    assert [line.startswith("error: ") for line in printed.err.splitlines()].count(True) == 1
    for word in words:
        assert word in printed.err
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("n,text\n1,a\n2,b,c\n", ["in.csv, line 3", "found 3 fields", "2,b,c", "expected 2: n, text"]),
        ("n,body\n1,a\n", ["no column 'text'", "n, body", "--text-column"]),
        ("text,text\na,b\n", ["duplicate columns", "text"]),
        ("text,labels\na,b\n", ["columns labels", "expected free"]),
        ("", ["cannot be read as csv", "found no byte"]),
    ],
)
def test_csv(score, corpus, content, words):
    given = corpus / "in.csv"
    given.write_text(content)
    refused(lambda: score(given, corpus / "out.csv"), corpus, *words)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"text": "a"}\n{"text": \n', ["line 2", "expected one object a line"]),
        ('{"text": "a"}\n[1]\n', ["line 2", "expected one object a line", "jq -c '.[]'"]),
        ('{"text": "a"}\n{"text": 5}\n', ["in.jsonl, line 2, column 'text'", "found 5", "expected a string"]),
        ('{"text": 5}\n', ["in.jsonl, line 1, column 'text'", "found 5", "expected a string"]),
        ('{"body": "a"}\n', ["no column 'text'", "body"]),
    ],
)
def test_json_lines(score, corpus, content, words):
    given = corpus / "in.jsonl"
    given.write_text(content)
    refused(lambda: score(given, corpus / "out.csv"), corpus, *words)


def test_places(score, corpus):
    out = corpus / "out.csv"
    refused(lambda: score(corpus / "none.csv", out), corpus, "none.csv", "no such file")
    refused(lambda: score(corpus, out), corpus, "several kinds", "in.parquet", "good.csv")
    refused(lambda: score(corpus / "good.csv", corpus / "out.xls"), corpus, "'.xls'", "expected .parquet")
    refused(lambda: score(corpus / "good.csv", corpus / "good.csv"), corpus, "is the input, too")
    (corpus / "in").mkdir()
    (corpus / "in" / "a.csv").write_text("text\na\n")
    refused(lambda: score(corpus / "in", corpus / "in" / "out.csv"), corpus, "lies in the input folder")
    refused(lambda: score("", out), corpus, "INPUT: found nothing")
    for option in ("--prefix", "--text-column"):
        refused(lambda o=option: score(corpus / "good.csv", out, o, "\udce9"), corpus, option, "UTF-8")
    refused(lambda: score("-", out, "--resume"), corpus, "standard input", "give files")
    refused(lambda: score(corpus / "good.csv", out, "--threads", "-1"), corpus, "--threads -1")
    (corpus / "broken.parquet").write_bytes(b"PAR1 but not one")
    refused(
        lambda: score(corpus / "broken.parquet", out), corpus, "broken.parquet", "cannot be read as parquet"
    )


def test_ray_is_an_extra(score, corpus, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "score.engines.ray_engine", raising=False)
    line = (corpus / "good.csv", corpus / "out.csv", "--engine", "ray")
    refused(lambda: score(*line), corpus, "--engine ray", "pip install '.[ray]'")


def test_columns_of_several_files_must_fit(score, corpus):
    pq.write_table(pa.table({"n": [[1]], "text": ["a"]}), corpus / "z.parquet")
    refused(lambda: score(corpus / "*.parquet", corpus / "out.csv"), corpus, "z.parquet", "do not fit")


def test_artifacts(score, corpus, tiny):
    given, out = corpus / "good.csv", corpus / "out.csv"
    refused(lambda: score(given, out, artifact=corpus), corpus, "manifest.json", "no such file")
    copy = corpus / "copy"
    shutil.copytree(tiny, copy)
    set_metadata(copy / "onnx" / "model_quantized.onnx", max_length="x")
    listed(copy)
    refused(lambda: score(given, out, artifact=copy), corpus, "max_length found 'x'")
    (copy / "tokenizer.json").write_text("{}")
    listed(copy)
    refused(lambda: score(given, out, "--variant", "fp32", artifact=copy), corpus, "not a tokenizer")
    (copy / "onnx" / "model_quantized.onnx").unlink()
    refused(lambda: score(given, out, artifact=copy), corpus, "variant int8")


def test_a_variant_that_no_artifact_has(tiny, corpus):
    with pytest.raises(ScoreError, match="--variant int4: expected one of fp32, int8"):
        run(Options(tiny, str(corpus / "good.csv"), corpus / "out.csv", variant="int4"))
