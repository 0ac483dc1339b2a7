"""The hub, from its cache and from loopback servers: one that refuses, one that is silent, one that works."""

from __future__ import annotations

import socket
import threading
import time
from http.server import ThreadingHTTPServer

import pytest
from huggingface_hub import constants

from core.errors import SourceError
from export.sources import resolve
from tests.support.hub_cache import FILES, REVISION, Hub


@pytest.fixture
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return folder


@pytest.fixture
def point(monkeypatch, cache):
    def set_endpoint(port: int) -> None:
        url = f"http://127.0.0.1:{port}"
        monkeypatch.setattr(constants, "ENDPOINT", url)
        template = url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)

    return set_endpoint


@pytest.fixture
def cached(cache):
    """The hub's own layout, as a download leaves it."""
    repository = cache / "models--some--encoder"
    snapshot = repository / "snapshots" / REVISION
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_bytes(b"{}")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(REVISION)
    return snapshot


@pytest.fixture
def hub(point):
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        server.requests = []
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        point(server.server_port)
        yield server
        server.shutdown()


@pytest.mark.parametrize(
    "spec", ["hub:some/encoder", f"hub:some/encoder@{REVISION}", "hub:some/encoder@main"]
)
def test_without_a_network_the_cache_serves(tmp_path, point, cached, spec):
    point(9)
    found = resolve.resolve(spec, tmp_path, "ENCODER")
    assert found.folder.samefile(cached)
    assert (found.revision, found.origin) == (REVISION, spec)


def test_offline_by_the_hubs_own_switch(tmp_path, point, cached, offline):
    point(9)
    assert resolve.resolve("hub:some/encoder", tmp_path, "ENCODER").folder.samefile(cached)


def test_another_revision_than_the_cached_one(tmp_path, point, cached):
    point(9)
    with pytest.raises(SourceError, match=r"^hub:some/encoder@v2: .*ENCODER=path:"):
        resolve.resolve("hub:some/encoder@v2", tmp_path, "ENCODER")


@pytest.mark.parametrize("variable", ["ENCODER", "HEAD"])
def test_without_network_and_cache_the_error_is_soon_and_helps(tmp_path, point, variable):
    point(9)
    start = time.monotonic()
    with pytest.raises(SourceError, match=f"^hub:some/encoder: the hub cannot be reached.*{variable}=path:"):
        resolve.resolve("hub:some/encoder", tmp_path, variable)
    assert time.monotonic() - start < 10


def test_a_hub_that_never_answers(tmp_path, point, cache):
    with socket.create_server(("127.0.0.1", 0), backlog=50) as silent:
        point(silent.getsockname()[1])
        start = time.monotonic()
        with pytest.raises(SourceError, match=r"^hub:some/encoder: the hub cannot be reached.*ENCODER=path:"):
            resolve.resolve("hub:some/encoder", tmp_path, "ENCODER")
        assert time.monotonic() - start < 10


def test_a_download_takes_no_pickles_and_pins_the_revision(tmp_path, hub):
    found = resolve.resolve("hub:some/encoder", tmp_path, "ENCODER")
    assert found.revision == REVISION
    assert {path.name: path.read_bytes() for path in found.folder.iterdir()} == {
        name: content for name, content in FILES.items() if name != "pytorch_model.bin"
    }
    assert not any("pytorch_model" in path for path in hub.requests)


def test_what_was_downloaded_serves_without_a_network(tmp_path, hub, point):
    online = resolve.resolve("hub:some/encoder", tmp_path, "ENCODER")
    point(9)
    assert resolve.resolve("hub:some/encoder", tmp_path, "ENCODER") == online


def test_a_repository_that_is_not_there(tmp_path, hub):
    with pytest.raises(SourceError, match=r"^hub:some/gone: .*HTTP 404.*HEAD=path:"):
        resolve.resolve("hub:some/gone", tmp_path, "HEAD")


@pytest.mark.parametrize("name", ["a/b/c", "two words"])
def test_a_name_that_is_none(tmp_path, point, name):
    point(9)
    with pytest.raises(SourceError, match=f"^hub:{name}: not a hub repository's name.*ENCODER=path:"):
        resolve.resolve(f"hub:{name}", tmp_path, "ENCODER")
