/** The worker: loads variants, answers texts. Everything slow is here, away from the keys. */
import * as ort from "onnxruntime-web/wasm";
import { FILES, open } from "../decide.mjs";
import { words } from "../variants.mjs";
import { explain } from "./failure.js";
import { entry, manifestOf, read, store } from "./files.js";

const MODEL = new URL("model/", self.location.href);
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
/** Variants that are open, by name, and the names of those that answer. */
const held = new Map();
let active = [];
let loading = new AbortController();

/** No graph is closed while it runs: what uses them goes one after the other. */
let turn = Promise.resolve();
const inTurn = (work) => {
  turn = turn.then(work, work);
  return turn;
};

/** Adds up the progress of `total` bytes. */
function progress(variants, total) {
  const sum = { loaded: 0, total, cached: true };
  let told = 0;
  const tell = () => self.postMessage({ type: "progress", variants, ...sum });
  return {
    sum,
    begin(cached) {
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

const keepOnly = (names) =>
  inTurn(async () => {
    const others = [...held.keys()].filter((name) => !names.includes(name));
    active = active.filter((name) => names.includes(name));
    for (const name of others) {
      const { close } = held.get(name);
      held.delete(name);
      await close();
    }
  });

/** Open a variant; those before it answer until its bytes are here, and are in memory no longer than that. */
async function opened({ file }, names, told, signal) {
  const { wasm } = ort.env;
  const program = wasm.wasmBinary ?? read(cache, runtime, told, signal);
  const bytesOf = async (name) => {
    const bytes = await read(cache, entry(manifest, MODEL, name), told, signal);
    if (name !== file) return bytes;
    wasm.wasmBinary = await program;
    if (!signal.aborted) await keepOnly(names);
    return bytes;
  };
  const [decide] = await Promise.all([open(ort, bytesOf, file), program]);
  // The first run compiles: now, and not when someone waits for it.
  await decide(["warm"]);
  return decide;
}

/** How much is to be read before `variants` can be opened. */
function bytesOf(variants) {
  const size = (name) => entry(manifest, MODEL, name).size;
  const each = variants.flatMap(({ file }) => [file, ...FILES]).map(size);
  return each.reduce((sum, bytes) => sum + bytes, ort.env.wasm.wasmBinary ? 0 : runtime.size);
}

async function load(names) {
  const started = performance.now();
  loading.abort();
  loading = new AbortController();
  const { signal } = loading;
  try {
    cache ??= await store();
    manifest ??= await manifestOf(MODEL, names);
    if (signal.aborted) return;
    self.postMessage({ type: "about", manifest, keeps: cache !== null, threads });
    const missing = manifest.variants.filter(({ name }) => names.includes(name) && !held.has(name));
    const told = progress(names, bytesOf(missing));
    for (const variant of missing) {
      const decide = await opened(variant, names, told, signal);
      if (signal.aborted) return void decide.close();
      held.set(variant.name, decide);
    }
    await keepOnly(names);
    if (signal.aborted) return;
    active = names;
    const ms = performance.now() - started;
    self.postMessage({ type: "ready", variants: names, ms, cached: told.sum.cached });
  } catch (error) {
    if (signal.aborted) return;
    loading.abort();
    // The server's files may have changed since the manifest was read.
    manifest = null;
    fail(error, names);
  }
}

/** Every active variant's answer to a text: `[{variant, ids, truncated, labels, ms}]`; null where there is none. */
async function answer(text) {
  const found = [];
  for (const variant of active) {
    const started = performance.now();
    const [decided] = await held.get(variant)([text]);
    found.push({ variant, ...decided, ms: performance.now() - started });
  }
  return found.length ? found : null;
}

async function ask({ id, text }) {
  const names = active;
  let answers = null;
  try {
    answers = await inTurn(() => answer(text));
  } catch (error) {
    fail(error, names);
  }
  self.postMessage({ type: "answer", id, answers });
}

function fail(error, names) {
  self.postMessage({ type: "failure", text: explain(error, words(names)), runs: active });
}

self.onmessage = ({ data }) => (data.type === "load" ? load(data.variants) : ask(data));
