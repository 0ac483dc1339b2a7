/** WebAssembly in Chromium against onnxruntime in Python: the page's own worker, and transformers.js. */
import assert from "node:assert/strict";
import path from "node:path";
import { after, before, test } from "node:test";
import {
  ARTIFACT,
  describe,
  difference,
  expected,
  fromPipeline,
  LOADED,
  MAX_LENGTH,
  ROOT,
  sentence,
} from "../compare.mjs";
import { launch } from "./chromium.mjs";
import { serve } from "./serve.mjs";

const MAX_ERROR = 1e-5;
const LEAST_EQUAL = 0.98;
const PAGE = path.resolve(ROOT, process.env.PAGE ?? "dist/minilm-l6-go-emotions-web");
const MODULES = path.join(ROOT, "node_modules/");
const TRANSFORMERS = path.join(MODULES, "@huggingface/transformers/");

let browser;
let server;
let page;
before(async () => {
  browser = await launch();
  server = await serve({
    "/page/": PAGE,
    "/test/": import.meta.dirname,
    "/models/": path.dirname(ARTIFACT),
    "/transformers/": path.join(TRANSFORMERS, "dist"),
    "/runtime/": path.join(TRANSFORMERS, "node_modules/onnxruntime-web/dist"),
  });
});
after(async () => {
  await browser?.close();
  await server?.close();
});

function check(t, runtime, variant, found) {
  t.diagnostic(sentence(runtime, variant, found));
  assert.ok(found.texts > 100);
  if (variant === "fp32") {
    assert.ok(found.maxError <= MAX_ERROR, `${found.maxError}`);
    assert.deepEqual(found.flipped, []);
  } else assert.ok(1 - found.flipped.length / found.texts >= LEAST_EQUAL, sentence(runtime, variant, found));
}

for (const variant of Object.keys(expected.variants)) {
  test(`the page's worker, ${variant}`, async (t) => {
    describe(t);
    page = await browser.newPage();
    await page.goto(`${server.origin}/page/icon.svg`);
    const answers = await page.evaluate(
      ([url, chosen, texts]) =>
        new Promise((resolve, reject) => {
          const worker = new Worker(url, { type: "module" });
          const found = [];
          worker.onerror = (event) => reject(new Error(event.message));
          worker.onmessage = ({ data }) => {
            if (data.type === "failure") reject(new Error(data.text));
            if (data.type === "answer") found.push(data.answers[0]);
            if (data.type !== "answer" && data.type !== "ready") return;
            if (found.length === texts.length) resolve(found);
            else worker.postMessage({ type: "ask", id: found.length, text: texts[found.length] });
          };
          worker.postMessage({ type: "load", variants: [chosen] });
        }),
      [`${server.origin}/page/worker.js`, variant, expected.texts],
    );
    await page.close();
    assert.deepEqual(
      answers.map(({ ids }) => ids),
      expected.ids,
    );
    const found = difference(
      variant,
      answers.map(({ labels }) => labels),
    );
    check(t, "onnxruntime-web in Chromium", variant, found);
  });

  test(`transformers.js in Chromium, ${variant}`, async (t) => {
    page = await browser.newPage();
    await page.goto(`${server.origin}/test/transformers.html`);
    const told = [path.basename(ARTIFACT), { ...LOADED[variant], device: "wasm" }, expected.texts];
    const scores = await page.evaluate(([...all]) => classifyAll(...all), told);
    await page.close();
    // Its tokenizer cuts off the [SEP] of texts beyond the limit: other ids, other answers.
    const last = expected.ids[0].at(-1);
    const cut = new Set();
    for (const [row, { ids }] of scores.entries()) {
      if (ids.length === MAX_LENGTH && ids.at(-1) !== last) cut.add(row);
      else assert.deepEqual(ids, expected.ids[row]);
    }
    assert.ok(cut.size < 10);
    const answers = scores.map(({ found }) => fromPipeline(found));
    t.diagnostic(`left out: ${cut.size} texts beyond ${MAX_LENGTH} tokens, which it cuts before the [SEP]`);
    check(t, "transformers.js in Chromium", variant, difference(variant, answers, cut));
  });
}
