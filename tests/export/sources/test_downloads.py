"""Downloads through a hub that fails in every way, lock files, and a hub whose revisions move."""

from __future__ import annotations

import logging
import re
import threading
import time
import tomllib
from http.server import ThreadingHTTPServer
from types import SimpleNamespace

import huggingface_hub
import pytest
from huggingface_hub import constants

from core.errors import RecipeError, SourceError
from export.sources import hub, recipe_lock, resolve
from export.sources.resolve import Sources
from tests.support.factories import write_recipe
from tests.support.faulty_hub import CONTENT, WEIGHTS, FaultyHub
from tests.support.hub_cache import REVISION

SPEC = "hub:some/encoder"
MOVED = "f" * 40
FAULTS = {
    "commit": ("429", "503", "closed", "cut"),
    "list": ("429", "503", "closed", "cut", "hangs"),
    "head": ("429", "503", "closed", "redirect", "hangs"),
    "file": ("429", "503", "closed", "cut", "hangs", "redirect", "wrong bytes", "wrong length"),
}
CASES = [(kind, fault) for kind, faults in FAULTS.items() for fault in faults]


@pytest.fixture(scope="module")
def survived():
    """Faults after which the right bytes were there; printed with -s."""
    found = []
    yield found
    print(f"\n{len(found)} faults injected and survived, of {len(set(found))} kinds")


@pytest.fixture
def server(tmp_path, monkeypatch):
    with ThreadingHTTPServer(("127.0.0.1", 0), FaultyHub) as server:
        server.requests, server.injected, server.faults, server.content = [], [], {}, dict(CONTENT)
        server.revision, server.hang_seconds, server.handle_error = REVISION, 1.5, lambda *_: None
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "ENDPOINT", url)
        template = url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        for name in ("HF_HUB_DOWNLOAD_TIMEOUT", "HF_HUB_ETAG_TIMEOUT"):
            monkeypatch.setattr(constants, name, 0.5)
        # Smaller than half of the file: only whole chunks are kept where a connection is cut.
        monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1 << 16)
        # The library's own waits are of seconds.
        quick = SimpleNamespace(sleep=lambda seconds: time.sleep(seconds / 20))
        for module in ("utils._http", "file_download"):
            monkeypatch.setattr(f"huggingface_hub.{module}.time", quick)
        monkeypatch.setattr(hub, "_WAITS_SECONDS", (0.01, 0.01, 0.01, 0.01))
        # Its client is kept: a connection of an earlier server would be.
        huggingface_hub.close_session()
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.upper(), raising=False)
        yield server
        server.shutdown()
    huggingface_hub.close_session()


def files(source):
    return {path.name: path.read_bytes() for path in source.folder.iterdir()}


def wanted():
    return {name: content for name, content in CONTENT.items() if name != "pytorch_model.bin"}


@pytest.mark.parametrize(("kind", "fault"), CASES, ids=lambda value: value.replace(" ", "-"))
def test_a_fault_that_passes_is_survived(tmp_path, server, survived, kind, fault):
    server.faults = {kind: [fault] * 2}
    assert files(resolve.resolve(SPEC, tmp_path, "ENCODER")) == wanted()
    assert server.injected == [(kind, fault)] * 2
    survived += server.injected


def test_many_faults_one_after_another(tmp_path, server, survived):
    server.faults = {
        "commit": ["503", "429"],
        "head": ["503", "closed"],
        "file": ["wrong length", "cut", "cut", "503", "wrong bytes"],
        "list": ["closed", "503"],
    }
    total = sum(map(len, server.faults.values()))
    assert files(resolve.resolve(SPEC, tmp_path, "ENCODER")) == wanted()
    assert len(server.injected) == total
    survived += server.injected


def test_a_cut_connection_is_taken_up_where_it_was_cut(tmp_path, server):
    server.faults = {"file": ["cut"]}
    assert files(resolve.resolve(SPEC, tmp_path, "ENCODER")) == wanted()
    ranges = [span for method, path, span in server.requests if path.endswith(".safetensors") and span]
    (span,) = ranges
    start = int(re.fullmatch(r"bytes=(\d+)-", span).group(1))
    assert 0 < start <= len(WEIGHTS) // 2


def test_it_waits_as_long_as_the_hub_says(tmp_path, server, monkeypatch):
    waits = []
    monkeypatch.setattr(hub, "sleep", waits.append)
    server.faults = {"commit": ["429", "503"]}
    resolve.resolve(SPEC, tmp_path, "ENCODER")
    # On a busy machine a connection may be late, and tried again too.
    assert waits[:2] == [1.0, 0.01]


@pytest.mark.parametrize(
    ("kind", "fault", "message"),
    [
        ("file", "wrong bytes", r"model\.safetensors: not the file that the hub lists.* 5 times"),
        ("file", "wrong length", "could not be downloaded: Consistency check failed"),
        ("file", "503", r"the hub fails \(HTTP 503\)"),
        ("commit", "503", "the hub cannot be reached and its cache holds no copy"),
    ],
)
def test_a_fault_that_stays_is_one_error_and_leaves_nothing_wrong(tmp_path, server, kind, fault, message):
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    server.faults = {kind: [fault] * 100}
    with pytest.raises(SourceError, match=f"^{SPEC}: .*{message}.*ENCODER=path:"):
        resolve.resolve(SPEC, tmp_path, "ENCODER")
    left = [path for path in (tmp_path / "cache").rglob("model.safetensors") if path.is_file()]
    assert [path.read_bytes() for path in left] in ([], [WEIGHTS])
    assert not list((tmp_path / "cache").rglob("*.incomplete"))
    server.faults = {}
    assert files(resolve.resolve(SPEC, tmp_path, "ENCODER")) == wanted()


@pytest.fixture
def folder(tmp_path, server):
    """A recipe whose encoder comes from the hub, locked by a first build."""
    made = write_recipe(tmp_path / "tiny", ["joy"], SPEC, "path:head")
    assert Sources(made).lock() == ["encoder"]
    return made


def resolved(folder):
    return Sources(folder).encoder


def test_the_first_build_locks_and_the_next_sends_no_request(folder, server):
    locked = recipe_lock.read(folder)
    assert locked.head is None
    assert locked.encoder.source == SPEC
    assert locked.encoder.revision == REVISION
    assert {name: file.size for name, file in locked.encoder.files.items()} == {
        name: len(content) for name, content in wanted().items()
    }
    assert Sources(folder).lock() == []
    server.requests.clear()
    assert files(resolved(folder)) == wanted()
    assert server.requests == []


def test_a_lock_is_read_back_as_written(folder):
    locked = recipe_lock.read(folder)
    recipe_lock.write(folder, locked)
    assert recipe_lock.read(folder) == locked
    content = tomllib.loads((folder / recipe_lock.LOCK_FILE).read_text("utf-8"))
    assert content == {"encoder": locked.encoder.model_dump()}
    assert list(content["encoder"]["files"]) == sorted(wanted())


@pytest.mark.parametrize("name", ['a "quoted" name', "1_Pooling/config.json", "é\\ü\t🤣", "a.b", ""])
def test_a_lock_of_any_file_names_is_read_back(tmp_path, name):
    file = recipe_lock.LockedFile(sha256="0" * 64, size=2**40)
    source = recipe_lock.LockedSource(source=SPEC, revision=REVISION, files={name: file, "b": file})
    for lock in (recipe_lock.RecipeLock(head=source), recipe_lock.RecipeLock()):
        recipe_lock.write(tmp_path, lock)
        assert recipe_lock.read(tmp_path) == lock


def test_a_branch_that_moved_is_not_followed_by_a_locked_recipe(folder, server, tmp_path):
    server.revision, server.content = MOVED, {**CONTENT, "config.json": b'{"new": 1}'}
    assert resolved(folder).revision == REVISION
    # Without the lock it is.
    assert resolve.resolve(SPEC, tmp_path, "ENCODER").revision == MOVED


def test_a_named_revision_that_moved_is_refused(tmp_path, server):
    spec = f"{SPEC}@v1"
    made = write_recipe(tmp_path / "named", ["joy"], spec, "path:head")
    Sources(made).lock()
    assert Sources(made).encoder.revision == REVISION
    server.revision = MOVED
    with pytest.raises(SourceError, match=f"^{spec}: moved: the hub's v1 is commit {MOVED}, .*{REVISION}"):
        _ = Sources(made).encoder


def test_a_commit_that_the_hub_answers_with_another_is_refused(tmp_path, server):
    with pytest.raises(SourceError, match=f"@{MOVED}: the hub answers with commit {REVISION}"):
        resolve.resolve(f"{SPEC}@{MOVED}", tmp_path, "ENCODER")


@pytest.mark.parametrize("change", [b"W" * len(WEIGHTS), WEIGHTS[:-1]])
def test_a_hub_that_serves_other_bytes_for_the_locked_commit_is_refused(folder, server, tmp_path, change):
    hub.discard((tmp_path / "cache").rglob("model.safetensors"))
    server.content["model.safetensors"] = change
    with pytest.raises(SourceError, match=r"model\.safetensors: .*expected .* as recipe\.lock\.toml has it"):
        resolved(folder)


def test_a_damaged_cache_is_repaired(folder, server, tmp_path):
    (path,) = (tmp_path / "cache").rglob("model.safetensors")
    path.resolve().write_bytes(bytes(len(WEIGHTS)))
    assert files(resolved(folder)) == wanted()


def test_an_override_is_neither_locked_nor_held_to_the_lock(folder, server, monkeypatch, tmp_path):
    (tmp_path / "mine").mkdir()
    monkeypatch.setenv("ENCODER", f"path:{tmp_path / 'mine'}")
    assert Sources(folder).encoder.folder == tmp_path / "mine"
    assert Sources(folder).lock() == []


def test_another_source_in_the_recipe_is_locked_anew(folder, server):
    text = (folder / "recipe.toml").read_text().replace(SPEC, f"{SPEC}@v2")
    (folder / "recipe.toml").write_text(text)
    assert Sources(folder).lock() == ["encoder"]
    assert recipe_lock.read(folder).encoder.source == f"{SPEC}@v2"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (REVISION, "main", r"encoder\.revision: .*found 'main'"),
        ("size = ", "bytes = ", r"encoder\.files\..*size: missing"),
        ("[encoder]", "[encoder", "cannot be read as TOML"),
    ],
)
def test_a_lock_that_is_none(folder, old, new, message):
    path = folder / recipe_lock.LOCK_FILE
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(RecipeError, match=rf"recipe\.lock\.toml: {message}"):
        resolved(folder)
