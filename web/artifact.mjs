/** Read an artifact of anybody's: regular files of its own folder, each as its manifest lists it. */
import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { lstat, open } from "node:fs/promises";
import path from "node:path";
import { isPlain, shown } from "./names.mjs";

const JSON_BYTES = 8 * 2 ** 20;
const GRAPH_BYTES = 2 ** 31 - 1;

/** The content of `folder`'s file `name`, which is no link, no device, and of at most `limit` bytes. */
async function read(folder, name, limit) {
  const at = path.join(folder, name);
  let place = folder;
  for (const part of name.split("/")) {
    place = path.join(place, part);
    if ((await lstat(place)).isSymbolicLink())
      throw new Error(`${place}: found a link, expected a file of the folder's own`);
  }
  // A pipe would wait for its other end.
  const file = await open(at, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const found = await file.stat();
    if (!found.isFile()) throw new Error(`${at}: not a regular file`);
    if (found.size > limit) throw new Error(`${at}: found ${found.size} bytes, expected at most ${limit}`);
    return await file.readFile();
  } finally {
    await file.close();
  }
}

function checked(manifest, at) {
  if (manifest?.recipe?.contract !== "stacked") {
    throw new Error(`${at}: contract: found ${shown(manifest?.recipe?.contract)}, expected stacked`);
  }
  if (!Array.isArray(manifest.variants) || manifest.variants.length === 0)
    throw new Error(`${at}: variants: expected a list of some`);
  for (const name of [...Object.keys(manifest.files ?? {}), ...manifest.variants.map((row) => row?.file)]) {
    if (!isPlain(name)) throw new Error(`${at}: file: found ${shown(name)}, expected one inside the folder`);
  }
  const { name, recipe } = manifest;
  if (![name, ...(recipe.labels?.names ?? [null])].every((word) => typeof word === "string"))
    throw new Error(`${at}: name and labels: expected texts`);
  return manifest;
}

/** The manifest of the artifact in `folder`, and the bytes that it was read from. */
export async function manifestOf(folder) {
  const at = path.join(folder, "manifest.json");
  const content = await read(folder, "manifest.json", JSON_BYTES);
  let manifest;
  try {
    manifest = JSON.parse(content);
  } catch (error) {
    throw new Error(`${at}: cannot be read as JSON: ${error.message}`);
  }
  return { manifest: checked(manifest, at), content };
}

/** The content of a file of the artifact, which is what `manifest` says of it. */
export async function contentOf(folder, manifest, name) {
  const at = path.join(folder, name);
  if (!Object.hasOwn(manifest.files ?? {}, name)) throw new Error(`${at}: not listed in manifest.json`);
  const content = await read(folder, name, GRAPH_BYTES);
  const sha256 = createHash("sha256").update(content).digest("hex");
  const expected = manifest.files[name].sha256;
  if (sha256 !== expected) throw new Error(`${at}: SHA-256 found ${sha256}, expected ${shown(expected)}`);
  return content;
}
