/** float16 as `make package FORMAT=webgpu` writes it: transformers.js in Node, against fp32 in Python. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { env, pipeline } from "@huggingface/transformers";
import { ARTIFACT, difference, expected, fromPipeline, sentence } from "./compare.mjs";

const PACKAGE = `${ARTIFACT}-webgpu`;
const MAX_ERROR = 0.01;
const MOST_FLIPPED = 0.01;

test("transformers.js, fp16: within a hundredth of fp32", async (t) => {
  Object.assign(env, { allowRemoteModels: false, localModelPath: path.dirname(PACKAGE) });
  const classify = await pipeline("text-classification", path.basename(PACKAGE), { dtype: "fp16" });
  const answers = [];
  const skip = new Set();
  for (const [row, text] of expected.texts.entries()) {
    // Beyond the limit it cuts off the [SEP]: other ids, other answers.
    const ids = classify.tokenizer(text, { truncation: true }).input_ids.tolist()[0].map(Number);
    if (ids.at(-1) !== expected.ids[row].at(-1)) skip.add(row);
    answers.push(fromPipeline(await classify(text, { top_k: null })));
  }
  await classify.dispose();
  assert.ok(skip.size < 10);
  const found = difference("fp32", answers, skip);
  t.diagnostic(sentence("transformers.js, float16", "fp32", found));
  assert.ok(found.texts > 100);
  assert.ok(found.maxError <= MAX_ERROR, `${found.maxError}`);
  assert.ok(found.flipped.length <= MOST_FLIPPED * found.texts);
});

test("the package's program names love", async () => {
  const page = readFileSync(path.join(PACKAGE, "README.md"), "utf-8");
  const program = page.split("```js\n")[1].split("```")[0];
  const run = promisify(execFile);
  const options = { cwd: path.dirname(PACKAGE) };
  const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", program], options);
  assert.match(stdout.split("]")[0], /love/);
});
