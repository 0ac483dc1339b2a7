"""A hub that fails: each request takes the next fault of its kind from a list, or is answered correctly."""

from __future__ import annotations

import json
import re
import time

from tests.support.hub_cache import FILES, REVISION, Hub, listed

WEIGHTS = bytes(range(256)) * 4096
CONTENT = {**FILES, "model.safetensors": WEIGHTS}
# What a request can be for: the commit of a revision, the list of files, a file's size, the file.
KINDS = ("commit", "list", "head", "file")


class FaultyHub(Hub):
    """`server.faults` is kind → a list of faults to come; `server.revision` is what main is now."""

    protocol_version = "HTTP/1.1"

    def _kind(self):
        if self.path.startswith("/api/"):
            return "list" if "/tree/" in self.path else "commit"
        return "head" if self.command == "HEAD" else "file"

    def _answer(self, status, body, **headers):
        self.send_response(status)
        headers = {"Content-Length": len(body), "X-Repo-Commit": self.server.revision, **headers}
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def _body(self, kind):
        if kind == "list":
            rows = [listed(name, content) for name, content in self.server.content.items()]
            return json.dumps(rows).encode()
        if kind == "commit":
            return json.dumps({"id": "some/encoder", "sha": self.server.revision, "siblings": []}).encode()
        return self.server.content[self.path.split("?")[0].rsplit("/", 1)[1]]

    def do_GET(self):  # noqa: N802
        kind = self._kind()
        self.server.requests.append((self.command, self.path, self.headers.get("Range")))
        # The large file has the faults: small ones arrive in one piece.
        faulty = kind in ("commit", "list") or self.path.split("?")[0].endswith("model.safetensors")
        faults = self.server.faults.get(kind) if faulty else None
        fault = faults.pop(0) if faults else None
        if fault is not None:
            self.server.injected.append((kind, fault))
        body = self._body(kind)
        etag = f'"{hash(body) & 0xFFFFFFFF:08x}"'
        if fault is not None and self._fail(fault, body, etag):
            return
        range_ = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        if range_:
            start = int(range_.group(1))
            span = f"bytes {start}-{len(body) - 1}/{len(body)}"
            self._answer(206, body[start:], ETag=etag, Content_Range=span)
        else:
            self._answer(200, body, ETag=etag, Accept_Ranges="bytes")

    do_HEAD = do_GET  # noqa: N815

    def _fail(self, fault, body, etag):
        """Commit a fault; return False where the correct answer still has to follow."""
        self.close_connection = True
        if fault in ("429", "503"):
            more = {"Retry_After": 1} if fault == "429" else {}
            self._answer(int(fault), b"busy", **more)
        elif fault == "closed":
            self.connection.close()
        elif fault == "cut":
            self.send_response(200)
            for name, value in (("Content-Length", len(body)), ("X-Repo-Commit", REVISION), ("ETag", etag)):
                self.send_header(name, str(value))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            self.connection.close()
        elif fault == "hangs":
            time.sleep(self.server.hang_seconds)
        elif fault == "wrong bytes":
            self._answer(200, bytes(len(body)), ETag=etag)
        elif fault == "wrong length":
            self._answer(200, body[:-7], ETag=etag)
        elif fault == "redirect":
            self.close_connection = False
            self._answer(302, b"", Location=self.path + "?elsewhere", ETag=etag, X_Linked_Size=len(body))
        return True
