/** Build the page: `node web/build.mjs ARTIFACT OUT` makes a folder of static files around an artifact. */
import { createHash } from "node:crypto";
import { cp, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { build } from "esbuild";
import { filled } from "./words.mjs";

const ROOT = path.resolve(import.meta.dirname, "..");
const RUNTIME = path.join(ROOT, "node_modules/onnxruntime-web/dist");
const GLUE = "ort-wasm-simd-threaded.mjs";
const PROGRAM = "ort-wasm-simd-threaded.wasm";
const SMALL = ["manifest.json", "config.json", "thresholds.json", "tokenizer.json", "tokenizer_config.json"];

async function bundle(entry, format, outfile) {
  const program = await readFile(path.join(RUNTIME, PROGRAM));
  const sha256 = createHash("sha256").update(program).digest("hex");

  return build({
    entryPoints: [path.join(ROOT, "web/src", entry)],
    outfile,
    format,
    bundle: true,
    minify: true,
    target: "es2022",
    legalComments: "linked",
    // The runtime's own files stay files: its threads start from them.
    conditions: ["onnxruntime-web-use-extern-wasm"],
    define: {
      RUNTIME: JSON.stringify({ glue: `ort/${GLUE}`, name: `ort/${PROGRAM}`, size: program.length, sha256 }),
    },
    logLevel: "warning",
  });
}

async function make(artifact, folder) {
  const manifest = JSON.parse(await readFile(path.join(artifact, "manifest.json"), "utf-8"));
  if (manifest.recipe.contract !== "stacked") {
    throw new Error(
      `${artifact}/manifest.json: contract: found ${manifest.recipe.contract}, expected stacked`,
    );
  }
  const copy = async (from, to) => {
    await mkdir(path.dirname(path.join(folder, to)), { recursive: true });
    await cp(from, path.join(folder, to));
  };
  await bundle("page.js", "iife", path.join(folder, "page.js"));
  await bundle("page.css", undefined, path.join(folder, "page.css"));
  await bundle("worker.js", "esm", path.join(folder, "worker.js"));
  const page = await readFile(path.join(ROOT, "web/index.html"), "utf-8");
  await writeFile(path.join(folder, "index.html"), filled(page, manifest));
  await copy(path.join(ROOT, "web/icon.svg"), "icon.svg");
  for (const name of [GLUE, PROGRAM]) await copy(path.join(RUNTIME, name), `ort/${name}`);
  for (const name of [...SMALL, ...manifest.variants.map(({ file }) => file)]) {
    await copy(path.join(artifact, name), `model/${name}`);
  }
}

const [artifact, out] = process.argv.slice(2).map((name) => path.resolve(name));
await mkdir(path.dirname(out), { recursive: true });
// Beside, then moved into place: a build that fails leaves the folder as it was.
const made = `${out}.${process.pid}`;
try {
  await make(artifact, made);
  await rm(out, { recursive: true, force: true });
  await rename(made, out);
} catch (error) {
  await rm(made, { recursive: true, force: true });
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
}
