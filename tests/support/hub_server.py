"""A loopback server that answers as much of the hub's API as an upload asks, and keeps what it is sent.

Modelled on what huggingface_hub's own client sends and checks: repositories, `preupload`, Git LFS batches,
commits as lines of JSON. It knows one token, `good`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LARGE = 500_000


class Store(ThreadingHTTPServer):
    """What the hub holds: objects by SHA-256, commits as path → content's SHA-256 and LFS or not."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.objects: dict[str, bytes] = {}
        self.commits: list[tuple[str, dict[str, bytes]]] = []
        self.sent: list[str] = []
        self.cards: list[str] = []
        self.repositories: list[dict] = []
        self.refused_card: str | None = None
        # Set: an object over this size is held back until `released`.
        self.hold_over: int | None = None
        self.held, self.released = threading.Event(), threading.Event()
        self.storage_status = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def head(self) -> dict[str, bytes]:
        return self.commits[-1][1] if self.commits else {}


def git_oid(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class Handler(BaseHTTPRequestHandler):
    server: Store

    def log_message(self, *args):
        pass

    def answer(self, status: int, content: object = None, **headers: str):
        body = json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def do_PUT(self):
        oid = self.path.rsplit("/", 1)[1]
        size = int(self.headers["Content-Length"])
        hub = self.server
        if hub.hold_over is not None and size > hub.hold_over:
            hub.held.set()
            hub.released.wait(60)
            return
        content = self.body()
        if hub.storage_status != 200:
            self.answer(hub.storage_status, {"error": "expired"})
            return
        assert hashlib.sha256(content).hexdigest() == oid
        hub.objects[oid] = content
        hub.sent.append(oid)
        self.answer(200)

    def do_GET(self):
        sha = f"{len(self.server.commits):040d}"
        self.answer(200, {"id": "me/emotions", "sha": sha, "siblings": []})

    def do_POST(self):
        body = self.body()
        path = self.path.split("?")[0]
        if self.headers.get("Authorization") != "Bearer good":
            self.answer(401, {"error": "Invalid credentials in Authorization header"})
        elif path == "/api/repos/create":
            self.server.repositories.append(json.loads(body))
            self.answer(200, {"url": f"{self.server.url}/me/emotions"})
        elif path == "/api/validate-yaml":
            self.validate(json.loads(body))
        elif "/preupload/" in path:
            self.answer(200, {"files": [self.mode(file) for file in json.loads(body)["files"]]})
        elif path.endswith("/info/lfs/objects/batch"):
            rows = json.loads(body)["objects"]
            self.answer(200, {"transfer": "basic", "objects": [self.action(row) for row in rows]})
        elif "/commit/" in path:
            self.commit([json.loads(line) for line in body.splitlines()])
        else:
            self.answer(404, {"error": "not found"})

    def validate(self, asked: dict):
        self.server.cards.append(asked["content"])
        if self.server.refused_card:
            self.answer(400, {"errors": [{"message": self.server.refused_card}], "warnings": []})
        else:
            self.answer(200, {"errors": [], "warnings": []})

    def mode(self, file: dict) -> dict:
        large = file["size"] > LARGE
        known = self.server.head.get(file["path"])
        oid = None if known is None else hashlib.sha256(known).hexdigest() if large else git_oid(known)
        mode = "lfs" if large else "regular"
        return {"path": file["path"], "uploadMode": mode, "shouldIgnore": False, "oid": oid}

    def action(self, row: dict) -> dict:
        if row["oid"] in self.server.objects:
            return row
        return row | {"actions": {"upload": {"href": f"{self.server.url}/lfs/{row['oid']}"}}}

    def commit(self, rows: list[dict]):
        files = dict(self.server.head)
        for row in rows[1:]:
            value = row["value"]
            if row["key"] == "lfsFile":
                files[value["path"]] = self.server.objects[value["oid"]]
            else:
                files[value["path"]] = base64.b64decode(value["content"])
        self.server.commits.append((rows[0]["value"]["summary"], files))
        oid = f"{len(self.server.commits):040d}"
        self.answer(200, {"commitUrl": f"{self.server.url}/me/emotions/commit/{oid}", "commitOid": oid})
