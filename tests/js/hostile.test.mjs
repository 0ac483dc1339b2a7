/** `node web/build.mjs` on artifacts made to harm: one line, nothing outside the page, nothing replaced but a page. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { open } from "../../web/decide.mjs";
import { isPlain } from "../../web/names.mjs";
import { entry } from "../../web/src/files.js";

const BUILD = path.resolve(import.meta.dirname, "../../web/build.mjs");
const FILES = [
  "config.json",
  "thresholds.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "onnx/model.onnx",
];
const TOKENIZER = {
  model: {
    type: "WordPiece",
    unk_token: "[UNK]",
    vocab: { "[UNK]": 0, a: 1 },
    max_input_chars_per_word: 100,
  },
  normalizer: { type: "BertNormalizer", clean_text: true, handle_chinese_chars: true, lowercase: true },
  pre_tokenizer: { type: "BertPreTokenizer" },
  post_processor: null,
  decoder: { type: "WordPiece", prefix: "##", cleanup: true },
  truncation: { max_length: 8 },
  added_tokens: [],
};
let place;

const at = (...names) => path.join(place, ...names);

/** An artifact of small files, whose manifest `change` changes. */
function artifact(change = () => {}) {
  mkdirSync(at("artifact/onnx"), { recursive: true });
  const files = {};
  for (const name of FILES) {
    writeFileSync(at("artifact", name), `{"name": "${name}"}`);
    const content = readFileSync(at("artifact", name));
    files[name] = { size: content.length, sha256: createHash("sha256").update(content).digest("hex") };
  }
  const recipe = { contract: "stacked", card: {}, labels: { names: ["a"] } };
  const manifest = { name: "tiny", recipe, variants: [{ name: "fp32", file: "onnx/model.onnx" }], files };
  change(manifest);
  writeFileSync(at("artifact/manifest.json"), JSON.stringify(manifest));
}

function built() {
  const options = { cwd: place, encoding: "utf-8", timeout: 10_000 };
  return spawnSync(process.execPath, [BUILD, "artifact", "page"], options);
}

/** One line that says all of `words`; and of all that is there, only the artifact. */
function refused(...words) {
  const before = readdirSync(place, { recursive: true }).sort();
  const { status, stderr } = built();
  assert.equal(status, 1, stderr);
  assert.match(stderr, /^error: [\P{C}]*\n$/u);
  for (const word of words) assert.ok(stderr.includes(word), stderr);
  assert.deepEqual(readdirSync(place, { recursive: true }).sort(), before);
}

beforeEach(() => {
  place = mkdtempSync(path.join(tmpdir(), "hostile-"));
});
afterEach(() => rmSync(place, { recursive: true }));

test("a page, and again in its place", () => {
  artifact();
  for (let time = 0; time < 2; time += 1) {
    const { status, stderr } = built();
    assert.equal(status, 0, stderr);
  }
  assert.deepEqual(readdirSync(place).sort(), ["artifact", "page"]);
  assert.deepEqual(readFileSync(at("page/model/manifest.json")), readFileSync(at("artifact/manifest.json")));
});

for (const name of [
  "../secret",
  "/etc/passwd",
  "a/../../secret",
  "a\\b",
  "C:x",
  "a\n\u001b[2J",
  "\ud800",
  5,
]) {
  test(`a variant's file ${JSON.stringify(name)}`, () => {
    writeFileSync(at("secret"), "secret");
    artifact((manifest) => {
      manifest.variants[0].file = name;
      manifest.files[name] = { size: 6, sha256: createHash("sha256").update("secret").digest("hex") };
    });
    refused("manifest.json: file: found ", "expected one inside the folder");
  });
}

test("links of an artifact", () => {
  writeFileSync(at("secret"), '{"name": "config.json"}');
  artifact();
  rmSync(at("artifact/config.json"));
  symlinkSync("../secret", at("artifact/config.json"));
  refused("artifact/config.json: found a link");
  rmSync(at("artifact"), { recursive: true });
  artifact();
  rmSync(at("artifact/onnx"), { recursive: true });
  symlinkSync("/etc", at("artifact/onnx"));
  refused("artifact/onnx: found a link");
});

test("files that are none, or not the manifest's", () => {
  artifact();
  writeFileSync(at("artifact/thresholds.json"), "{}");
  refused("thresholds.json: SHA-256 found ");
  rmSync(at("artifact/thresholds.json"));
  assert.equal(spawnSync("mkfifo", [at("artifact/thresholds.json")]).status, 0);
  refused("thresholds.json: not a regular file");
  rmSync(at("artifact/thresholds.json"));
  refused("thresholds.json");
});

test("manifests that are none", () => {
  for (const content of ["", "[]", "null", "5", '{"recipe": null}', '{"recipe": {"contract": "stacked"}}']) {
    artifact();
    writeFileSync(at("artifact/manifest.json"), content);
    refused("manifest.json: ");
  }
  writeFileSync(at("artifact/manifest.json"), "[".repeat(1_000_000));
  refused("manifest.json: ");
  truncateSync(at("artifact/manifest.json"), 3e9);
  refused("manifest.json: found 3000000000 bytes, expected at most ");
  rmSync(at("artifact/manifest.json"));
  assert.equal(spawnSync("mkfifo", [at("artifact/manifest.json")]).status, 0);
  refused("manifest.json: not a regular file");
  rmSync(at("artifact/manifest.json"));
  symlinkSync("/dev/zero", at("artifact/manifest.json"));
  refused("manifest.json: found a link");
});

test("a contract with escapes of a terminal is shown, not sent", () => {
  artifact((manifest) => {
    manifest.recipe.contract = "\u001b[31m\u009b\n\u2028";
  });
  refused("contract: found ", "expected stacked");
});

test("a folder, a file and a link that are no page are not replaced", () => {
  artifact();
  mkdirSync(at("page"));
  writeFileSync(at("page/thesis.txt"), "mine");
  refused("page: found something else than a page");
  rmSync(at("page"), { recursive: true });
  writeFileSync(at("page"), "mine");
  refused("page: found something else than a page");
  rmSync(at("page"));
  mkdirSync(at("elsewhere"));
  symlinkSync("elsewhere", at("page"));
  refused("page: found something else than a page");
});

test("a name is plain or not", () => {
  for (const name of ["a", "onnx/model.onnx", "ä b/c", "a..b", ".a"]) assert.ok(isPlain(name), name);
  for (const name of ["", ".", "..", "/a", "a/", "a//b", "a/../b", "a\0", "\u202e", "a".repeat(256), null, 5])
    assert.ok(!isPlain(name), `${name}`);
});

test("the page asks its server for no other file", () => {
  const sound = { size: 5, sha256: "x" };
  const base = "https://example.org/model/";
  assert.equal(entry({ files: { "a/b": sound } }, base, "a/b").url, `${base}a/b`);
  for (const name of ["https://evil.example/x", "../x", "//evil.example/x", undefined])
    assert.throws(() => entry({ files: { [name]: sound } }, base, name), /is not in the model's manifest/);
  assert.throws(() => entry({ files: {} }, base, "constructor"), /is not in the model's manifest/);
  for (const size of [-1, 2 ** 60, "5", null])
    assert.throws(
      () => entry({ files: { a: { size, sha256: "x" } } }, base, "a"),
      /is not what it should be/,
    );
});

test("decide.mjs compares labels with columns, and reads no threshold of another's", async () => {
  const files = {
    "config.json": { id2label: { 0: "a", 1: "b" } },
    "thresholds.json": { a: 0.5, b: 0.5 },
    "tokenizer.json": TOKENIZER,
    "tokenizer_config.json": {},
  };
  const tensor = (...dims) => ({ dims, data: new Float32Array(dims.reduce((a, b) => a * b)) });
  const ort = (probabilities, predictions) => ({
    Tensor: class {},
    InferenceSession: { create: async () => ({ run: async () => ({ probabilities, predictions }) }) },
  });
  const read = (changed) => async (name) =>
    name.endsWith(".onnx")
      ? new Uint8Array()
      : new TextEncoder().encode(JSON.stringify({ ...files, ...changed }[name]));
  const decide = await open(ort(tensor(1, 2), tensor(1, 2)), read());
  assert.equal((await decide(["a"]))[0].labels.length, 2);
  for (const shape of [[1, 1], [1, 3], [2, 1], [2]]) {
    const other = await open(ort(tensor(...shape), tensor(1, 2)), read());
    await assert.rejects(other(["a"]), /probabilities: found shape .*, expected 1,2: one column a label/);
  }
  await assert.rejects(
    open(ort(), read({ "thresholds.json": { a: 0.5 } })),
    /thresholds\.json: no threshold of "b"/,
  );
  for (const truncation of [null, { max_length: 2 ** 58 }, { max_length: "5" }, { max_length: 1 }])
    await assert.rejects(
      open(ort(), read({ "tokenizer.json": { ...files["tokenizer.json"], truncation } })),
      /tokenizer\.json: truncation: found/,
    );
});
