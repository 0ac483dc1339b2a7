/** The worker: loads a variant, answers texts. Everything slow is here, away from the keys. */
import * as ort from "onnxruntime-web/wasm";
import { open } from "../decide.mjs";
import { explain } from "./failure.js";
import { entry, manifestOf, read, store } from "./files.js";

const MODEL = new URL("model/", self.location.href);
const FIRST = "int8";
const MAX_THREADS = 4;

// Shared memory, and so threads, only where the host sends COOP and COEP.
const threads = self.crossOriginIsolated ? Math.min(MAX_THREADS, navigator.hardwareConcurrency) : 1;
ort.env.wasm.numThreads = threads;
ort.env.wasm.wasmPaths = { mjs: new URL(RUNTIME.glue, self.location.href).href };
ort.env.logLevel = "error";
// RUNTIME is what build.mjs says of the runtime's files: `{glue, name, size, sha256}`
const runtime = { ...RUNTIME, url: new URL(RUNTIME.name, self.location.href).href };

let cache;
let manifest = null;
/** What answers: `{ variant, decide }`. */
let active = null;
let loading = new AbortController();

/** Adds up the progress of a variant's files. */
function progress(variant) {
  const sum = { loaded: 0, total: 0, cached: true };
  let told = 0;
  const tell = () => self.postMessage({ type: "progress", variant, ...sum });
  return {
    sum,
    begin(size, cached) {
      sum.total += size;
      sum.cached &&= cached;
      tell();
    },
    progress(bytes) {
      sum.loaded += bytes;
      if (sum.loaded < sum.total && sum.loaded - told < sum.total / 100) return;
      told = sum.loaded;
      tell();
    },
  };
}

/** Open a variant; the one before it answers until the new one's bytes are here: never both in memory. */
async function opened({ file }, told, signal) {
  const { wasm } = ort.env;
  const program = wasm.wasmBinary ?? read(cache, runtime, told, signal);
  const bytesOf = async (name) => {
    const bytes = await read(cache, entry(manifest, MODEL, name), told, signal);
    if (name !== file) return bytes;
    wasm.wasmBinary = await program;
    if (!signal.aborted) await release();
    return bytes;
  };
  const [decide] = await Promise.all([open(ort, bytesOf, file), program]);
  // The first run compiles: now, and not when someone waits for it.
  await decide(["warm"]);
  return decide;
}

async function load(asked) {
  const started = performance.now();
  loading.abort();
  loading = new AbortController();
  const { signal } = loading;
  try {
    cache ??= await store();
    manifest ??= await manifestOf(MODEL);
    if (signal.aborted) return;
    const find = (wanted) => manifest.variants.find(({ name }) => name === wanted);
    const chosen = find(asked) ?? find(FIRST) ?? manifest.variants[0];
    const variant = chosen.name;
    self.postMessage({ type: "about", variant, manifest, keeps: cache !== null, threads });
    const told = progress(variant);
    const decide = await opened(chosen, told, signal);
    if (signal.aborted) return void decide.close();
    active = { variant, decide };
    const ms = performance.now() - started;
    self.postMessage({ type: "ready", variant, ms, cached: told.sum.cached });
  } catch (error) {
    if (signal.aborted) return;
    loading.abort();
    // The server's files may have changed since the manifest was read.
    manifest = null;
    fail(error, asked ?? FIRST);
  }
}

async function release() {
  const { decide } = active ?? {};
  active = null;
  await decide?.close();
}

async function answer(text) {
  if (!active) return;
  const { variant, decide } = active;
  try {
    const started = performance.now();
    const [found] = await decide([text]);
    self.postMessage({ type: "answer", variant, text, ...found, ms: performance.now() - started });
  } catch (error) {
    fail(error, variant);
  }
}

function fail(error, variant) {
  self.postMessage({ type: "failure", text: explain(error, variant), runs: active?.variant ?? null });
}

self.onmessage = ({ data }) => (data.type === "load" ? load(data.variant) : answer(data.text));
