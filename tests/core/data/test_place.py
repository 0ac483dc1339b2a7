"""Where data files come from: only ever the stated bytes, from the stated places."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from core.data.data_set import DataSet, overlap
from core.data.table import DataTable
from core.errors import DatasetError, RecipeError
from core.tables import read_table
from tests.support import recipes
from tests.support.places import ROOT

GO_EMOTIONS = read_table(DataTable, ROOT / "recipes" / "go-emotions.toml")
# Line separators of Unicode inside a text are no ends of rows, quotes and backslashes no syntax.
ROWS = 'one\u2028two\x85three\rfour\t27\te1\n"quoted\t0,27\te2\nback\\slash, é 🤣\t3\te3\n'
SHA256 = hashlib.sha256(ROWS.encode()).hexdigest()


def go_emotions(folder, **changes):
    """GoEmotions as its file has it, but for what a test changes."""
    return DataSet(GO_EMOTIONS.model_copy(update=changes), folder, folder / "cache", GO_EMOTIONS.label_ids)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("GO_EMOTIONS_DIR", str(tmp_path))
    return tmp_path


def test_reads_rows_as_they_are(folder):
    (folder / "dev.tsv").write_bytes(ROWS.encode())
    found = go_emotions(folder, sha256={"dev": SHA256}).read("dev")
    assert found.texts == ["one\u2028two\x85three\rfour", '"quoted', "back\\slash, é 🤣"]
    assert found.labels == [{"neutral"}, {"admiration", "neutral"}, {"annoyance"}]
    assert not (folder / "cache").exists()


@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_a_file_that_is_not_the_published_one(folder, split):
    (folder / f"{split}.tsv").write_bytes(ROWS.encode())
    message = rf"^{folder}/{split}\.tsv: SHA-256 found {SHA256}, expected {GO_EMOTIONS.sha256[split]}$"
    with pytest.raises(DatasetError, match=message):
        go_emotions(folder).read(split)


def test_a_file_that_is_missing(folder):
    message = rf"^{folder}/test\.tsv: not found \(GO_EMOTIONS_DIR is {folder}\)$"
    with pytest.raises(DatasetError, match=message):
        go_emotions(folder).read("test")


class _Files(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        self.server.requests.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", str(len(ROWS.encode()) + self.server.missing))
        self.end_headers()
        self.wfile.write(ROWS.encode())


@pytest.fixture
def server(monkeypatch):
    monkeypatch.delenv("GO_EMOTIONS_DIR", raising=False)
    monkeypatch.setenv("no_proxy", "*")
    with ThreadingHTTPServer(("127.0.0.1", 0), _Files) as running:
        running.requests, running.missing = [], 0
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield running
        running.shutdown()


def downloaded(folder, server, sha256=SHA256):
    port = server.server_port if server else 9
    return go_emotions(folder, dev=f"http://127.0.0.1:{port}/data/dev.tsv", sha256={"dev": sha256})


def test_without_a_network_the_error_says_what_to_set(tmp_path, server):
    message = r"^http://127\.0\.0\.1:9/data/dev\.tsv: .*set GO_EMOTIONS_DIR to a folder that holds dev\.tsv$"
    with pytest.raises(DatasetError, match=message):
        downloaded(tmp_path, None).read("dev")
    assert not list(tmp_path.rglob("*.tsv"))


def test_a_download_is_kept(tmp_path, server):
    data = downloaded(tmp_path, server)
    assert not data.at_hand("dev")
    first = data.read("dev")
    (kept,) = (tmp_path / "cache").iterdir()
    assert kept.read_bytes() == ROWS.encode()
    assert data.at_hand("dev")
    assert downloaded(tmp_path, server).read("dev") == first
    assert server.requests == ["/data/dev.tsv"]


def test_a_download_that_breaks_off(tmp_path, server):
    server.missing = 5
    with pytest.raises(DatasetError, match=r"dev\.tsv: could not be downloaded"):
        downloaded(tmp_path, server).read("dev")
    assert not list(tmp_path.rglob("*.tsv"))


def test_a_download_of_something_else_is_not_kept(tmp_path, server):
    with pytest.raises(DatasetError, match=r"^http://.*/dev\.tsv: SHA-256 found "):
        downloaded(tmp_path, server, sha256="0" * 64).read("dev")
    assert not list(tmp_path.rglob("*.tsv"))


def test_a_file_of_the_hub_is_read_from_its_cache(tmp_path, monkeypatch):
    commit = "a" * 40
    repository = tmp_path / "hub" / "datasets--me--texts"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    file = repository / "snapshots" / commit / "data" / "test.csv"
    file.parent.mkdir(parents=True)
    file.write_text("text,labels\nhello,joy\n")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    for stated in ("hub:me/texts/data/test.csv", f"hub:me/texts@{commit}/data/test.csv"):
        data = DataSet(DataTable(test=stated), tmp_path, tmp_path, ["joy"])
        assert data.at_hand("test")
        assert data.read("test") == (["hello"], [{"joy"}])
    absent = DataSet(DataTable(test="hub:me/texts/data/other.csv"), tmp_path, tmp_path, ["joy"])
    assert not absent.at_hand("test")
    with pytest.raises(DatasetError, match=r"^hub:me/texts/data/other\.csv: could not be had from the hub: "):
        absent.read("test")


def test_the_table_in_a_file_of_its_own(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "own.toml").write_text('test = "test.csv"\n')
    (tmp_path / "data" / "test.csv").write_text("text,labels\nhello,joy\n")
    data = DataSet(DataTable(file="data/own.toml"), tmp_path, tmp_path, ["joy"])
    assert data.read("test").texts == ["hello"]
    assert data.paths("dev", "test") == [tmp_path / "data" / "own.toml", tmp_path / "data" / "test.csv"]
    with pytest.raises(RecipeError, match=r"^data\.file: .*no\.toml: no such file$"):
        DataSet(DataTable(file="no.toml"), tmp_path, tmp_path, ["joy"])
    (tmp_path / "data" / "own.toml").write_text('test = "test.csv"\ntext = "x"\n')
    with pytest.raises(RecipeError, match=r"own\.toml: text: unknown key$"):
        DataSet(DataTable(file="data/own.toml"), tmp_path, tmp_path, ["joy"])


@pytest.mark.parametrize(("split", "count"), [("train", 43410), ("dev", 5426), ("test", 5427)])
def test_the_published_counts(go_emotions, tmp_path, split, count):
    found = recipes.go_emotions(tmp_path).read(split)
    assert (len(found.texts), len(found.labels)) == (count, count)
    assert all(found.labels)


def test_the_published_support_on_test(go_emotions, tmp_path):
    """Demszky et al. 2020, table 4 of its repository: support of a label on the test split."""
    data = recipes.go_emotions(tmp_path)
    texts, labels = data.read("test")
    support = Counter(label for given in labels for label in given)
    assert sum(support.values()) == 6329
    assert len(support) == 28
    stated = {"admiration": 504, "neutral": 1787, "grief": 6, "gratitude": 352, "pride": 16, "relief": 11}
    assert {label: support[label] for label in stated} == stated
    sentence = overlap(("train", "test"), (data.read("train").texts, texts))
    assert sentence.startswith("37 of 5,427 texts of test are in train as well; the first is ")
