/** A plain static host for the tests: files of a folder with Last-Modified and ETag, as servers send them. */
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import path from "node:path";
import { pipeline } from "node:stream/promises";

const TYPES = {
  ".css": "text/css",
  ".html": "text/html",
  ".js": "text/javascript",
  ".json": "application/json",
  ".mjs": "text/javascript",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
};
// What a host must send for threads in WebAssembly.
const ISOLATION = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

async function send(request, response, file, headers) {
  const found = await stat(file).catch(() => null);
  if (!found?.isFile()) return response.writeHead(404).end("not found");
  const tag = `"${found.size}-${found.mtimeMs}"`;
  const sent = {
    "Content-Type": TYPES[path.extname(file)] ?? "application/octet-stream",
    "Last-Modified": found.mtime.toUTCString(),
    ETag: tag,
    ...headers,
  };
  if (request.headers["if-none-match"] === tag) return response.writeHead(304, sent).end();
  response.writeHead(200, { ...sent, "Content-Length": found.size });
  return pipeline(createReadStream(file), response).catch(() => response.destroy());
}

/**
 * Serve `mounts`, `{prefix: folder}`, on a free port of the loopback.
 *
 * `isolated` sends COOP and COEP; `intercept(url, response)` may answer itself, and then returns true.
 * `requests` collects `{url, status, bytes}`.
 */
export async function serve(mounts, { isolated = false, intercept = () => false } = {}) {
  const requests = [];
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    const before = request.socket.bytesWritten;
    response.on("close", () => {
      const bytes = request.socket.bytesWritten - before;
      requests.push({ url: pathname, status: response.statusCode, bytes });
    });
    if (intercept(pathname, response)) return;
    const prefix = Object.keys(mounts).find((each) => pathname.startsWith(each));
    if (!prefix) return void response.writeHead(404).end("not found");
    const name = path.normalize(decodeURIComponent(pathname.slice(prefix.length)) || "index.html");
    await send(request, response, path.join(mounts[prefix], name), isolated ? ISOLATION : {});
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  return { origin: `http://127.0.0.1:${server.address().port}`, requests, close };
}
