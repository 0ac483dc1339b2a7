"""A package index on loopback: it serves small wheels of any name, and writes down what was taken."""

from __future__ import annotations

import hashlib
import io
import re
import threading
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote, unquote

from packaging.utils import canonicalize_name


def wheel(name: str, size_bytes: int = 0, needs: Iterable[str] = ()) -> bytes:
    """A wheel of this file name that holds `size_bytes` of zeros, of the same bytes whenever it is made."""
    project, version, *_, python, abi, system = name.removesuffix(".whl").split("-")
    about = f"{project}-{version}.dist-info"
    required = "".join(f"Requires-Dist: {need}\n" for need in needs)
    parts = {
        f"{project}_zeros/zeros": "0" * size_bytes,
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n{required}",
        f"{about}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: {python}-{abi}-{system}\n",
    }
    parts[f"{about}/RECORD"] = "".join(f"{part},,\n" for part in [*parts, f"{about}/RECORD"])
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for part, text in parts.items():
            archive.writestr(zipfile.ZipInfo(part), text)
    return target.getvalue()


@dataclass
class PackageIndex:
    """What is served at `address`, each folder an index of its own, and the files that were taken from it."""

    address: str
    folders: dict[str, dict[str, bytes]] = field(default_factory=dict)
    taken: list[tuple[str, int]] = field(default_factory=list)
    pages: list[str] = field(default_factory=list)

    def url(self, folder: str) -> str:
        """The address of an index."""
        return f"{self.address}/{folder}/"

    def forget(self) -> None:
        """Begin to count anew."""
        self.taken.clear()
        self.pages.clear()

    def answer(self, path: str) -> bytes | None:
        """The answer to a request, None where there is nothing."""
        folder, _, rest = unquote(path).strip("/").partition("/")
        files = self.folders.get(folder)
        if files is None:
            return None
        if rest in files:
            self.taken.append((rest, len(files[rest])))
            return files[rest]
        self.pages.append(f"{folder}/{rest}")
        links = [
            f'<a href="/{folder}/{quote(name)}#sha256={hashlib.sha256(content).hexdigest()}">{name}</a>\n'
            for name, content in files.items()
            if canonicalize_name(re.split("-", name)[0]) == rest
        ]
        return f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>".encode() if links else None


@contextmanager
def package_index() -> Iterator[PackageIndex]:
    """Serve on loopback while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            content = index.answer(self.path)
            self.send_response(200 if content is not None else 404)
            kind = "application/zip" if self.path.endswith(".whl") else "text/html"
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    index = PackageIndex(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield index
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
