/** Build the page: `node web/build.mjs ARTIFACT OUT` makes a folder of static files around an artifact. */
import { createHash } from "node:crypto";
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
} from "node:fs/promises";
import path from "node:path";
import { build } from "esbuild";
import { contentOf, manifestOf } from "./artifact.mjs";
import { asPage, underPolicy } from "./card.mjs";
import { described } from "./described.mjs";
import { filled } from "./words.mjs";

const ROOT = path.resolve(import.meta.dirname, "..");
const RUNTIME = path.join(ROOT, "node_modules/onnxruntime-web/dist");
const GLUE = "ort-wasm-simd-threaded.mjs";
const PROGRAM = "ort-wasm-simd-threaded.wasm";
// What every page has.
const PAGE = ["index.html", "page.js", "worker.js", "model", "ort"];
const SMALL = ["config.json", "thresholds.json", "tokenizer.json", "tokenizer_config.json"];

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

/** Write the page around `artifact` to `folder`, whose files no name of the artifact's chooses. */
async function make(artifact, folder) {
  const { manifest, content } = await manifestOf(artifact);
  const write = async (to, content) => {
    await mkdir(path.dirname(path.join(folder, to)), { recursive: true });
    await writeFile(path.join(folder, to), content);
  };
  const copy = async (from, to) => write(to, await readFile(from));
  const program = (await stat(path.join(RUNTIME, PROGRAM))).size;
  const model = described(manifest, program);
  /** A page of the artifact's own beside this one, where it has such a file. */
  const beside = async (file, name, text, page) => {
    if (!Object.hasOwn(manifest.files, file)) return [];
    const content = await contentOf(artifact, manifest, file);
    await write(name, page(content.toString("utf-8"), model.title));
    return [{ href: name, text }];
  };
  const pages = [
    ...(await beside("README.md", "card.html", "Model card", asPage)),
    ...(await beside("report.html", "report.html", "Verification report", (page) =>
      // In an artifact it links to the card's source.
      underPolicy(page.replace('href="README.md"', 'href="card.html"')),
    )),
    { href: "model/manifest.json", text: "Files and their hashes" },
  ];
  await bundle("page.js", "iife", path.join(folder, "page.js"));
  for (const name of ["page.css", "card.css"])
    await bundle(`style/${name}`, undefined, path.join(folder, name));
  await bundle("worker.js", "esm", path.join(folder, "worker.js"));
  const page = await readFile(path.join(ROOT, "web/index.html"), "utf-8");
  await write("index.html", filled(page, model, pages));
  await copy(path.join(ROOT, "web/icon.svg"), "icon.svg");
  for (const name of [GLUE, PROGRAM]) await copy(path.join(RUNTIME, name), `ort/${name}`);
  await write("model/manifest.json", content);
  for (const name of [...SMALL, ...manifest.variants.map(({ file }) => file)]) {
    await write(`model/${name}`, await contentOf(artifact, manifest, name));
  }
}

/** Refuse to replace what is no page: anything that an earlier run of this did not make. */
async function checkReplaceable(folder) {
  const found = await lstat(folder).catch(() => null);
  if (found === null) return;
  const names = found.isDirectory() ? await readdir(folder) : null;
  const isPage = names?.length === 0 || PAGE.every((name) => names?.includes(name));
  if (!isPage) throw new Error(`${folder}: found something else than a page, which is not replaced`);
}

const [artifact, out] = process.argv.slice(2).map((name) => path.resolve(name));
// Beside, then moved into place: a build that fails leaves the folder as it was.
let made;
try {
  await checkReplaceable(out);
  await mkdir(path.dirname(out), { recursive: true });
  made = await mkdtemp(`${out}.`);
  await chmod(made, 0o777 & ~process.umask());
  await make(artifact, made);
  await rm(out, { recursive: true, force: true });
  await rename(made, out);
} catch (error) {
  if (made) await rm(made, { recursive: true, force: true });
  // One line of printable characters, whatever an artifact put into it.
  console.error(`error: ${error.message.replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, " ")}`);
  process.exitCode = 1;
}
