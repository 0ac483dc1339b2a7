/** What `make package FORMAT=webgpu` writes, in Chromium's WebGPU (by software) and in its WebAssembly. */
import assert from "node:assert/strict";
import path from "node:path";
import { after, before, test } from "node:test";
import { ARTIFACT, difference, expected, fromPipeline, ROOT, sentence } from "../compare.mjs";
import { launch, SOFTWARE_WEBGPU } from "./chromium.mjs";
import { serve } from "./serve.mjs";

const TRANSFORMERS = path.join(ROOT, "node_modules/@huggingface/transformers/");
const NAME = path.basename(ARTIFACT);
// A text takes a tenth of a second by software; its length is what a GPU's kernels are made for.
const TEXTS = 50;
const LONGEST = 200;
const chosen = expected.texts
  .map((text, row) => [text, row])
  .filter(([text]) => text.length <= LONGEST)
  .slice(0, TEXTS);
const left = new Set(expected.texts.keys());
for (const [, row] of chosen) left.delete(row);

let browser;
let server;
let page;
before(async () => {
  browser = await launch(SOFTWARE_WEBGPU);
  server = await serve({
    "/test/": import.meta.dirname,
    "/models/": path.dirname(ARTIFACT),
    "/transformers/": path.join(TRANSFORMERS, "dist"),
    "/runtime/": path.join(TRANSFORMERS, "node_modules/onnxruntime-web/dist"),
  });
  page = await browser.newPage();
  await page.goto(`${server.origin}/test/transformers.html`);
  await page.waitForFunction(() => globalThis.classifyAll);
});
after(async () => {
  await browser?.close();
  await server?.close();
});

async function compare(t, title, loaded, most) {
  const texts = chosen.map(([text]) => text);
  const scores = await page.evaluate(([...all]) => classifyAll(...all), [`${NAME}-webgpu`, loaded, texts]);
  const answers = Array(expected.texts.length);
  for (const [place, [, row]] of chosen.entries()) answers[row] = fromPipeline(scores[place].found);
  const found = difference("fp32", answers, left);
  t.diagnostic(sentence(title, "against fp32", found));
  assert.equal(found.texts, chosen.length);
  assert.ok(found.texts >= 50);
  assert.ok(found.maxError <= most, `${found.maxError}`);
  assert.deepEqual(found.flipped, []);
}

test("float32 in WebGPU", (t) => compare(t, "WebGPU, float32", { dtype: "fp32", device: "webgpu" }, 1e-4));

test("float16 in WebAssembly", (t) =>
  compare(t, "WebAssembly, float16", { dtype: "fp16", device: "wasm" }, 0.01));

test("float16 in WebGPU, where the adapter has it", async (t) => {
  const features = await page.evaluate(() => featuresOf());
  const half = { dtype: "fp16", device: "webgpu" };
  if (features.includes("shader-f16")) return compare(t, "WebGPU, float16", half, 0.01);
  t.diagnostic("this adapter has no shader-f16: transformers.js refuses float16, as it says");
  const asked = page.evaluate(([...all]) => classifyAll(...all), [`${NAME}-webgpu`, half, ["a"]]);
  return assert.rejects(asked, /does not support fp16/);
});

/** Why the package has a float32 graph of its own: once this fails, it need not. */
test("an artifact's own graph does not run in WebGPU", () => {
  const asked = page.evaluate(
    ([...all]) => classifyAll(...all),
    [NAME, { dtype: "fp32", device: "webgpu" }, ["a"]],
  );
  return assert.rejects(asked, /Invalid dispatch group size/);
});
