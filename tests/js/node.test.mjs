/** Node: web/decide.mjs, plain onnxruntime-node, and transformers.js, against onnxruntime in Python. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { env, pipeline } from "@huggingface/transformers";
import * as ort from "onnxruntime-node";
import { open } from "../../web/decide.mjs";
import {
  ARTIFACT,
  describe,
  difference,
  expected,
  fromPipeline,
  LOADED,
  MAX_LENGTH,
  sentence,
} from "./compare.mjs";

const MAX_ERROR = 1e-5;
const BATCH = 32;
const read = (name) => readFile(path.join(ARTIFACT, name));

function check(t, runtime, variant, found) {
  t.diagnostic(sentence(runtime, variant, found));
  assert.ok(found.texts > 100);
  if (variant === "fp32") assert.ok(found.maxError <= MAX_ERROR, `${found.maxError}`);
  assert.deepEqual(
    found.flipped.map((row) => expected.texts[row]),
    [],
  );
}

for (const [variant, { file }] of Object.entries(expected.variants)) {
  test(`decide.mjs, ${variant}: ids, probabilities and decisions are Python's`, async (t) => {
    describe(t);
    const decide = await open(ort, read, file);
    const answers = [];
    for (const [row, text] of expected.texts.entries()) {
      const [{ ids, labels, truncated }] = await decide([text]);
      assert.equal(truncated, expected.truncated[row], text.slice(0, 60));
      assert.deepEqual(ids, expected.ids[row], text.slice(0, 60));
      assert.deepEqual(
        labels.map(({ label, threshold }) => [label, threshold]),
        Object.entries(expected.thresholds),
      );
      answers.push(labels);
    }
    check(t, "decide.mjs", variant, difference(variant, answers));
    await decide.close();
  });

  test(`onnxruntime-node, ${variant}: the same in batches of ${BATCH}`, async (t) => {
    const session = await ort.InferenceSession.create(path.join(ARTIFACT, file));
    const count = expected.labels.length;
    const answers = [];
    for (let start = 0; start < expected.ids.length; start += BATCH) {
      const rows = expected.ids.slice(start, start + BATCH);
      const shape = [rows.length, Math.max(...rows.map((ids) => ids.length))];
      const input_ids = new ort.Tensor("int64", new BigInt64Array(shape[0] * shape[1]), shape);
      const attention_mask = new ort.Tensor("int64", new BigInt64Array(shape[0] * shape[1]), shape);
      for (const [row, ids] of rows.entries()) {
        input_ids.data.set(ids.map(BigInt), row * shape[1]);
        attention_mask.data.fill(1n, row * shape[1], row * shape[1] + ids.length);
      }
      const { probabilities, predictions } = await session.run({ input_ids, attention_mask });
      for (let row = 0; row < shape[0]; row += 1) {
        const at = (column) => row * count + column;
        answers.push(
          expected.labels.map((_, column) => ({
            probability: probabilities.data[at(column)],
            decided: Boolean(predictions.data[at(column)]),
          })),
        );
      }
    }
    check(t, "onnxruntime-node", variant, difference(variant, answers));
    await session.release();
  });

  test(`transformers.js, ${variant}: a text-classification pipeline`, async (t) => {
    env.allowRemoteModels = false;
    env.localModelPath = path.dirname(ARTIFACT);
    const classify = await pipeline("text-classification", path.basename(ARTIFACT), LOADED[variant]);
    // Its tokenizer cuts off the [SEP] of texts beyond the limit: other ids, other answers.
    const cut = new Set();
    const answers = [];
    for (const [row, text] of expected.texts.entries()) {
      const ids = classify.tokenizer(text, { truncation: true }).input_ids.tolist()[0].map(Number);
      if (ids.length === MAX_LENGTH && ids.at(-1) !== expected.ids[row].at(-1)) cut.add(row);
      else assert.deepEqual(ids, expected.ids[row], text.slice(0, 60));
      answers.push(fromPipeline(await classify(text, { top_k: null })));
    }
    t.diagnostic(`left out: ${cut.size} texts beyond ${MAX_LENGTH} tokens, which it cuts before the [SEP]`);
    assert.ok(cut.size < 10);
    check(t, "transformers.js", variant, difference(variant, answers, cut));
    await classify.dispose();
  });
}

test("decide.mjs takes texts of different lengths at once, and none", async () => {
  const decide = await open(ort, read);
  const texts = ["", "ok", "I love this!", "word ".repeat(700)];
  const together = await decide(texts);
  for (const [row, text] of texts.entries()) {
    const [alone] = await decide([text]);
    assert.deepEqual(together[row].ids, alone.ids);
    for (const [column, { probability, decided }] of alone.labels.entries()) {
      assert.ok(Math.abs(together[row].labels[column].probability - probability) <= 1e-6);
      assert.equal(together[row].labels[column].decided, decided);
    }
  }
  assert.deepEqual(await decide([]), []);
  await decide.close();
});

test("decide.mjs names the file that is missing", async () => {
  await assert.rejects(open(ort, read, "onnx/model_other.onnx"), /model_other\.onnx/);
  const without = (name) => (name === "thresholds.json" ? readFile("no/thresholds.json") : read(name));
  await assert.rejects(open(ort, without), /thresholds\.json/);
});
