/** The page's large files: downloaded with progress, checked by SHA-256, kept in the Cache API. */
import { isPlain } from "../names.mjs";
import { word } from "../variants.mjs";
import { interrupted, missing, unlisted, unreachable, unreadable, wrong } from "./failure.js";

const CACHE = "decisions-model-files";

async function request(url, name, options) {
  let response;
  try {
    response = await fetch(url, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw unreachable(name);
  }
  if (!response.ok) throw missing(name, response.status);
  return response;
}

/** Read a body of `size` bytes; `progress` is told of every piece. */
async function receive(response, name, size, progress) {
  const bytes = new Uint8Array(size);
  const reader = response.body.getReader();
  let received = 0;
  for (;;) {
    let piece;
    try {
      piece = await reader.read();
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw interrupted(name, received, size);
    }
    if (piece.done) break;
    if (received + piece.value.length > size)
      throw wrong(name, "size", `over ${size} bytes`, `${size} bytes`);
    bytes.set(piece.value, received);
    received += piece.value.length;
    progress(piece.value.length);
  }
  if (received !== size) throw interrupted(name, received, size);
  return bytes;
}

async function check(bytes, name, sha256) {
  // Only where the page is secure (https, localhost); elsewhere the size must do.
  if (!globalThis.crypto?.subtle) return;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const found = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (found !== sha256) throw wrong(name, "SHA-256", `${found.slice(0, 12)}…`, `${sha256.slice(0, 12)}…`);
}

/** The browser's own store for this page, or null where it has none (http, or storage turned off). */
export async function store() {
  try {
    return (await globalThis.caches?.open(CACHE)) ?? null;
  } catch {
    return null;
  }
}

/** Forget what an earlier version of the page left behind. */
async function forgetOthers(cache, url, key) {
  const kept = await cache.keys(url, { ignoreSearch: true });
  await Promise.all(kept.filter((entry) => entry.url !== key).map((entry) => cache.delete(entry)));
}

/**
 * A file's bytes, from `cache` (or null) or the server.
 *
 * `file` is `{name, url, size, sha256}`; `told.begin(cached)` and `told.progress(bytes)` hear of it.
 */
export async function read(cache, { name, url, size, sha256 }, told, signal) {
  const key = `${url}?sha256=${sha256}`;
  const kept = await cache?.match(key);
  const bytes = kept && new Uint8Array(await kept.arrayBuffer());
  told.begin(bytes?.length === size);
  if (bytes?.length === size) {
    told.progress(size);
    return bytes;
  }
  const response = await request(url, name, { signal });
  const received = await receive(response, name, size, told.progress);
  await check(received, name, sha256);
  // A full disk costs the next visit a download, not this one its answer.
  await cache?.put(key, new Response(received)).catch(() => {});
  if (cache) await forgetOthers(cache, url, key);
  return received;
}

/** The manifest of the artifact at `base`, a URL that ends in a slash, which has the variants of these names. */
export async function manifestOf(base, names) {
  const response = await request(new URL("manifest.json", base), "manifest.json", { cache: "no-cache" });
  const manifest = await response.json().catch(() => null);
  if (!manifest?.files || !Array.isArray(manifest.variants)) throw unreadable("manifest.json");
  for (const name of names) {
    if (!manifest.variants.some((variant) => variant?.name === name)) throw unlisted(word(name));
  }
  return manifest;
}

/** The entry of an artifact's file in its manifest, as `read` takes it. */
export function entry(manifest, base, name) {
  if (!isPlain(name) || !Object.hasOwn(manifest.files, name)) throw unlisted(String(name).slice(0, 200));
  const { size, sha256 } = manifest.files[name];
  if (!Number.isSafeInteger(size) || size < 0 || typeof sha256 !== "string")
    throw unreadable("manifest.json");
  return { name, url: new URL(name, base).href, size, sha256 };
}
