"""A loopback server with the part of the hub's API that a download uses."""

from __future__ import annotations

import hashlib
import json
from http.server import BaseHTTPRequestHandler

REVISION = "0123456789abcdef0123456789abcdef01234567"
FILES = {"config.json": b"{}", "model.safetensors": b"weights", "pytorch_model.bin": b"a pickle"}


def listed(name, content):
    """A row of the hub's list of files: git's hash, and for what lies in LFS its SHA-256."""
    oid = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    row = {"type": "file", "path": name, "size": len(content), "oid": oid}
    if name.endswith((".safetensors", ".bin")):
        digest = hashlib.sha256(content).hexdigest()
        row["lfs"] = {"oid": digest, "size": len(content), "pointerSize": 130}
    return row


class Hub(BaseHTTPRequestHandler):
    """Serve one repository under every name but `gone`, which does not exist."""

    def log_message(self, *args):
        pass

    def do_GET(self):
        self.server.requests.append(self.path)
        if "/gone" in self.path:
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.end_headers()
            return
        if "/tree/" in self.path:
            body = json.dumps([listed(name, content) for name, content in FILES.items()]).encode()
        elif self.path.startswith("/api/"):
            body = json.dumps({"id": "some/encoder", "sha": REVISION, "siblings": []}).encode()
        else:
            body = FILES[self.path.rsplit("/", 1)[1]]
        self.send_response(200)
        for name, value in (
            ("Content-Length", len(body)),
            ("X-Repo-Commit", REVISION),
            ("ETag", f'"{len(body)}"'),
        ):
            self.send_header(name, str(value))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815
