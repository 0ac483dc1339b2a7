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

// What the page shows of a recipe's card: lines, all optional.
const CARD = ["title", "description", "encoder", "base_model", "use", "misuse", "training", "license"];
const isText = (value) => typeof value === "string";
const isTexts = (value) => Array.isArray(value) && value.every(isText);

function checked(manifest, at) {
  const found = (field, value, expected) =>
    new Error(`${at}: ${field}: found ${shown(value)}, expected ${expected}`);
  const { name, recipe, variants, head, evaluations } = manifest ?? {};
  const files = manifest?.files ?? {};
  if (recipe?.contract !== "stacked") throw found("contract", recipe?.contract, "stacked");
  if (!Array.isArray(variants) || variants.length === 0)
    throw new Error(`${at}: variants: expected a list of some`);
  for (const file of [...Object.keys(files), ...variants.map((row) => row?.file)]) {
    if (!isPlain(file)) throw found("file", file, "one inside the folder");
  }
  for (const { name, file } of variants) {
    if (!isText(name)) throw found("variants: name", name, "a text");
    if (!Number.isSafeInteger(files[file]?.size))
      throw found(`files: ${file}: size`, files[file]?.size, "a number");
  }
  if (![name, ...(recipe.labels?.names ?? [null])].every(isText))
    throw new Error(`${at}: name and labels: expected texts`);
  for (const label of recipe.labels.names) {
    const threshold = Object.hasOwn(head?.thresholds ?? {}, label) ? head.thresholds[label] : undefined;
    if (typeof threshold !== "number" || !(threshold >= 0 && threshold < 1))
      throw found(`head: threshold of ${shown(label)}`, threshold, "0 to 1");
  }
  const card = recipe.card ?? {};
  for (const field of CARD) {
    if (!isText(card[field] ?? "")) throw found(`card: ${field}`, card[field], "a text");
  }
  if (!isTexts(card.examples ?? [])) throw found("card: examples", card.examples, "texts");
  if (!isTexts(Object.values(card.licenses ?? {}))) throw found("card: licenses", card.licenses, "texts");
  if (!Array.isArray(evaluations ?? [])) throw found("evaluations", evaluations, "a list");
  return { ...manifest, recipe: { ...recipe, card } };
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
