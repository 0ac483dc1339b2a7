"""Publishing, through the hub's own library to a stand-in of the hub on the loopback."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from core.artifact import proof
from core.errors import ArtifactError
from deliver import publish
from tests.support import commands
from tests.support.forge import reseal, rewrite
from tests.support.hub_server import LARGE, Store
from tests.support.places import ROOT


@pytest.fixture
def hub():
    with Store() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.released.set()
        server.shutdown()


@pytest.fixture
def command(hub, artifact, tmp_path):
    def arguments(*options, folder=artifact, repo="me/emotions"):
        return [sys.executable, "-m", "deliver", "publish", str(folder), repo, *options]

    return arguments


@pytest.fixture
def environment(hub, tmp_path):
    def make(token):
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("HF_") and not name.lower().endswith("_proxy")
        }
        stated = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home"), "HF_HUB_DISABLE_XET": "1"}
        return kept | stated | ({"HF_TOKEN": token} if token else {})

    return make


@pytest.fixture
def run(command, environment):
    def call(*options, token="good", **where):
        return commands.call(*command(*options, **where), env=environment(token), timeout=120)

    return call


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_a_dry_run_says_all_and_asks_nothing(run, hub, artifact):
    found = run("--dry-run", token=None)
    assert found.returncode == 0, found.stderr
    for name, content in contents(artifact).items():
        [line] = [line for line in found.stdout.splitlines() if line.endswith(f"  {name}")]
        assert f"{len(content):,} bytes" in line
    assert "Upload minilm-l6-go-emotions (fp32, int8, guarded; toolchain " in found.stdout
    assert "nothing was sent" in found.stdout
    assert (hub.repositories, hub.commits, hub.sent) == ([], [], [])


def test_an_upload_is_one_commit_of_the_whole_folder_and_a_second_one_is_none(run, hub, artifact):
    found = run("--private")
    assert found.returncode == 0, found.stderr
    assert hub.head == contents(artifact)
    assert [message for message, _ in hub.commits] == [publish.prepare(artifact, "me/emotions").message]
    assert hub.repositories[0]["visibility"] == "private"
    assert found.stdout.splitlines()[-1] == f"  published {hub.url}/me/emotions/commit/{1:040d}"
    # The hub was asked to validate the card, front matter and all, before the commit.
    assert set(hub.cards) == {(artifact / "README.md").read_text("utf-8")}
    sent = list(hub.sent)
    again = run()
    assert again.returncode == 0, again.stderr
    assert len(hub.commits) == 1
    assert hub.sent == sent


def test_a_changed_file_goes_alone(run, hub, artifact, changeable, change):
    assert run().returncode == 0
    change("thresholds.json", joy=0.9)
    reseal(changeable)
    sent = list(hub.sent)
    found = run(folder=changeable)
    assert found.returncode == 0, found.stderr
    assert len(hub.commits) == 2
    assert hub.sent == sent
    assert hub.head == contents(changeable)


def test_a_signature_goes_with_the_artifact(run, hub, changeable):
    (changeable / "model.sig").write_bytes(b"{}")
    (changeable / "model.sig.sha256").write_bytes(proof.signature_hash(b"{}"))
    found = run(folder=changeable)
    assert found.returncode == 0, found.stderr
    assert hub.head == contents(changeable)
    assert {"model.sig", "model.sig.sha256"} <= set(hub.head)


def test_an_interrupted_upload_commits_nothing_and_the_next_goes_on(run, hub, command, environment, artifact):
    hub.hold_over = 50_000_000
    with subprocess.Popen(command(), cwd=ROOT, env=environment("good"), stdout=subprocess.DEVNULL) as process:
        assert hub.held.wait(60)
        process.kill()
    assert hub.commits == []
    hub.hold_over = None
    hub.released.set()
    found = run()
    assert found.returncode == 0, found.stderr
    assert hub.head == contents(artifact)
    large = [name for name, content in contents(artifact).items() if len(content) > LARGE]
    # Each object once, over both runs: what had arrived was not sent again.
    assert len(hub.sent) == len(set(hub.sent)) == len(large)


@pytest.mark.parametrize(
    ("token", "said"),
    [
        (None, "no login to the hub: run hf auth login, or set HF_TOKEN"),
        ("bad", "the hub refused it (HTTP 401): the token is not valid"),
    ],
)
def test_without_a_good_token_one_line_says_so(run, hub, token, said):
    found = run(token=token)
    assert found.returncode == 2
    assert said in found.stderr.splitlines()[-1]
    assert "Traceback" not in found.stderr
    assert hub.commits == []


def test_a_storage_that_refuses(run, hub):
    hub.storage_status = 403
    found = run()
    assert found.returncode == 2
    # The bars of files in flight may end after it.
    [line] = [line for line in found.stderr.splitlines() if "error: " in line]
    assert "the hub refused it (HTTP 403)" in line
    assert line.endswith("nothing was committed")
    assert "Traceback" not in found.stderr
    assert hub.commits == []


def test_a_card_that_the_hub_refuses(run, hub):
    hub.refused_card = '"license" must be one of these'
    found = run()
    assert found.returncode == 2
    assert '"license" must be one of these' in found.stderr
    assert "Traceback" not in found.stderr
    assert hub.commits == []


@pytest.mark.parametrize("repo", ["", "emotions", "me/emotions/more", "me/ emotions", "me/--x"])
def test_a_name_that_is_none(run, hub, repo):
    found = run("--dry-run", repo=repo)
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr.startswith("error: REPO: ")


def swap_case(folder):
    rewrite(folder / "vocab.txt", (folder / "vocab.txt").read_bytes().swapcase())


def linked(folder):
    """To the same bytes."""
    path = folder / "vocab.txt"
    path.rename(folder.parent / "elsewhere")
    path.symlink_to(folder.parent / "elsewhere")


def pipe(folder):
    (folder / "vocab.txt").unlink()
    os.mkfifo(folder / "vocab.txt")


def another(folder):
    (folder / "modeling.py").write_text("print('hello')")
    reseal(folder)


def flip_in_manifest(folder):
    """Change a figure that no file's hash depends on."""
    content = (folder / "manifest.json").read_bytes()
    rewrite(folder / "manifest.json", content.replace(b'"flip_rate": 0.', b'"flip_rate": 1.', 1))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda f: rewrite(f / "thresholds.json", b"{}"), "thresholds.json: found 2 bytes"),
        (swap_case, "vocab.txt: SHA-256 found"),
        (lambda f: (f / "notes.txt").write_text("private"), "notes.txt: not listed in the manifest"),
        (lambda f: (f / "vocab.txt").unlink(), "vocab.txt: missing"),
        (lambda f: (f / "link").symlink_to("/etc/passwd"), "link: found a link"),
        (linked, "vocab.txt: found a link"),
        (pipe, "vocab.txt: found a link or a device"),
        (another, "files: found modeling.py, which is no file of an artifact"),
        (flip_in_manifest, "manifest.json: changed since it was written"),
        (lambda f: (f / "model.sig").write_bytes(b"{}"), "model.sig.sha256: missing"),
    ],
)
def test_a_folder_changed_by_hand_is_refused_before_anything_is_sent(run, hub, changeable, spoil, said):
    spoil(changeable)
    found = run(folder=changeable)
    assert (found.returncode, found.stdout, len(found.stderr.splitlines())) == (1, "", 1)
    assert said in found.stderr
    assert (hub.repositories, hub.commits, hub.sent) == ([], [], [])


@pytest.mark.parametrize("spoil", [linked, another])
def test_what_is_not_an_artifact_is_not_signed(changeable, tmp_path, spoil):
    (tmp_path / "key.pem").write_text("x")
    spoil(changeable)
    before = sorted(changeable.iterdir())
    found = commands.run("verify", "sign", changeable, "--key", tmp_path / "key.pem")
    assert (found.returncode, found.stdout, len(found.stderr.splitlines())) == (1, "", 1)
    assert "found " in found.stderr
    assert sorted(changeable.iterdir()) == before


def test_a_card_without_front_matter_is_refused(changeable):
    rewrite(changeable / "README.md", b"---\nmodel-index: [1]\n---\n# no\n")
    reseal(changeable)
    with pytest.raises(ArtifactError, match="front matter"):
        publish.prepare(changeable, "me/emotions")
