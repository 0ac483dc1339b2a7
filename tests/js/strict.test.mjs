/** What JavaScript reads of an artifact of anybody's: plain names, its own server's files, one column a label. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { open } from "../../web/decide.mjs";
import { isPlain } from "../../web/names.mjs";
import { entry } from "../../web/src/files.js";

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

test("a name is plain or not", () => {
  for (const name of ["a", "onnx/model.onnx", "ä b/c", "a..b", ".a"]) assert.ok(isPlain(name), name);
  for (const name of ["", ".", "..", "/a", "a/", "a//b", "a/../b", "a\0", "\u202e", "a".repeat(256), null, 5])
    assert.ok(!isPlain(name), `${name}`);
});

test("the page asks its server for no other file", () => {
  const sound = { size: 5, sha256: "x" };
  const base = "http://localhost/model/";
  assert.equal(entry({ files: { "a/b": sound } }, base, "a/b").url, `${base}a/b`);
  for (const name of ["http://127.0.0.1/x", "../x", "//127.0.0.1/x", undefined])
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
