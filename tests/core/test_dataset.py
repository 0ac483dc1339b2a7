"""GoEmotions: only ever the published files, from the stated places."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from core import dataset
from core.errors import DatasetError

# Line separators of Unicode inside a text are no ends of rows, quotes and backslashes no syntax.
ROWS = 'one\u2028two\x85three\rfour\t27\te1\n"quoted\t0,27\te2\nback\\slash, é 🤣\t3\te3\n'


@pytest.fixture
def published(monkeypatch):
    """Let a content pass for the published one."""

    def publish(content: bytes, split: str = "dev") -> None:
        digests = dataset.GO_EMOTIONS_SHA256 | {split: hashlib.sha256(content).hexdigest()}
        monkeypatch.setattr(dataset, "GO_EMOTIONS_SHA256", digests)

    return publish


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("GO_EMOTIONS_DIR", str(tmp_path))
    return tmp_path


def test_reads_rows_as_they_are(folder, published):
    (folder / "dev.tsv").write_bytes(ROWS.encode())
    published(ROWS.encode())
    found = dataset.read("dev", folder / "unused")
    assert found.texts == ["one\u2028two\x85three\rfour", '"quoted', "back\\slash, é 🤣"]
    assert found.labels == [{"neutral"}, {"admiration", "neutral"}, {"annoyance"}]
    assert not (folder / "unused").exists()


@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_a_file_that_is_not_the_published_one(folder, split):
    (folder / f"{split}.tsv").write_bytes(ROWS.encode())
    found = hashlib.sha256(ROWS.encode()).hexdigest()
    expected = dataset.GO_EMOTIONS_SHA256[split]
    message = rf"^{folder}/{split}\.tsv: SHA-256 found {found}, expected {expected}$"
    with pytest.raises(DatasetError, match=message):
        dataset.read(split, folder)


def test_a_file_that_is_missing(folder):
    message = rf"^{folder}/test\.tsv: not found \(GO_EMOTIONS_DIR is {folder}\)$"
    with pytest.raises(DatasetError, match=message):
        dataset.read("test", folder)


def test_without_a_network_the_error_says_what_to_set(tmp_path, monkeypatch):
    monkeypatch.delenv("GO_EMOTIONS_DIR", raising=False)
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(dataset, "GO_EMOTIONS_URL", "http://127.0.0.1:9/data/")
    message = r"^http://127\.0\.0\.1:9/data/dev\.tsv: .*set GO_EMOTIONS_DIR to a folder that holds dev\.tsv$"
    with pytest.raises(DatasetError, match=message):
        dataset.read("dev", tmp_path / "cache")
    assert not list(tmp_path.rglob("*.tsv"))


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
        monkeypatch.setattr(dataset, "GO_EMOTIONS_URL", f"http://127.0.0.1:{running.server_port}/data/")
        yield running
        running.shutdown()


def test_a_download_is_kept(tmp_path, server, published):
    published(ROWS.encode())
    first = dataset.read("dev", tmp_path / "cache")
    assert (tmp_path / "cache" / "dev.tsv").read_bytes() == ROWS.encode()
    assert dataset.read("dev", tmp_path / "cache") == first
    assert server.requests == ["/data/dev.tsv"]


def test_a_download_that_breaks_off(tmp_path, server, published):
    published(ROWS.encode())
    server.missing = 5
    with pytest.raises(DatasetError, match=r"dev\.tsv: could not be downloaded"):
        dataset.read("dev", tmp_path / "cache")
    assert not list(tmp_path.rglob("*.tsv"))


def test_a_download_of_something_else_is_not_kept(tmp_path, server):
    with pytest.raises(DatasetError, match=r"^http://.*/dev\.tsv: SHA-256 found "):
        dataset.read("dev", tmp_path / "cache")
    assert not list(tmp_path.rglob("*.tsv"))


@pytest.mark.parametrize(("split", "count"), [("train", 43410), ("dev", 5426), ("test", 5427)])
def test_the_published_counts(go_emotions, tmp_path, split, count):
    found = dataset.read(split, tmp_path)
    assert (len(found.texts), len(found.labels)) == (count, count)
    assert all(found.texts)
    assert all(found.labels)


def test_the_published_support_on_test(go_emotions, tmp_path):
    """Demszky et al. 2020, table 4 of its repository: support of a label on the test split."""
    support = Counter(label for labels in dataset.read("test", tmp_path).labels for label in labels)
    assert sum(support.values()) == 6329
    assert len(support) == 28
    stated = {"admiration": 504, "neutral": 1787, "grief": 6, "gratitude": 352, "pride": 16, "relief": 11}
    assert {label: support[label] for label in stated} == stated
    assert (go_emotions / "test.tsv").is_file()
