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

const BUILD = path.resolve(import.meta.dirname, "../../web/build.mjs");
const FILES = [
  "config.json",
  "thresholds.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "onnx/model.onnx",
  "README.md",
  "report.html",
];
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
  const variants = [{ name: "fp32", file: "onnx/model.onnx" }];
  const manifest = { name: "tiny", recipe, head: { thresholds: { a: 0.5 } }, variants, files };
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

test("a card or thresholds that are no texts or numbers", () => {
  const changes = [
    ["card: title", (manifest) => (manifest.recipe.card.title = 5)],
    ["card: examples", (manifest) => (manifest.recipe.card.examples = ["a", {}])],
    ["card: licenses", (manifest) => (manifest.recipe.card.licenses = { head: [] })],
    ["threshold of ", (manifest) => (manifest.head = {})],
    ["threshold of ", (manifest) => (manifest.head.thresholds.a = "0.5")],
    ["variants: name", (manifest) => (manifest.variants[0].name = null)],
    ["size: found ", (manifest) => (manifest.files["onnx/model.onnx"].size = "5")],
  ];
  for (const [words, change] of changes) {
    artifact(change);
    refused("manifest.json: ", words, "expected");
  }
  artifact((manifest) => {
    manifest.recipe.labels.names = ["__proto__"];
  });
  refused("threshold of ");
});

test("a report with a program is put under a policy, and one that is another file is refused", () => {
  artifact();
  const hostile = "<script>alert(1)</script>";
  writeFileSync(at("artifact/report.html"), hostile);
  refused("report.html: SHA-256 found ");
  artifact((manifest) => {
    writeFileSync(at("artifact/report.html"), hostile);
    manifest.files["report.html"].sha256 = createHash("sha256").update(hostile).digest("hex");
  });
  assert.equal(built().status, 0);
  assert.match(
    readFileSync(at("page/report.html"), "utf-8"),
    /^<!doctype html><meta[^>]*><meta[^>]*default-src 'none'/,
  );
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
