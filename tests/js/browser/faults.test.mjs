/** What the page says when something fails. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { assertShows, browser, failure, PAGE, ROW, ready, TEXT, type, visit } from "./visit.mjs";

const broken = (ending, respond) => (asked, response) => {
  if (!asked.endsWith(ending)) return false;
  respond(response);
  return true;
};
const MANIFEST = JSON.parse(await readFile(path.join(PAGE, "model/manifest.json"), "utf-8"));
const FAULTS = {
  "a missing graph": [
    broken("model_quantized.onnx", (r) => r.writeHead(404).end()),
    /model_quantized\.onnx is missing.*404/,
  ],
  "a missing runtime": [broken(".wasm", (r) => r.writeHead(404).end()), /threaded\.wasm is missing.*404/],
  "a missing manifest": [
    broken("manifest.json", (r) => r.writeHead(404).end()),
    /manifest\.json is missing.*404/,
  ],
  "a host's page in place of the manifest": [
    broken("manifest.json", (r) => r.end("<html>")),
    /manifest\.json is not what it should be/,
  ],
  "another file of the same size": [
    broken("thresholds.json", (r) => r.end(" ".repeat(547))),
    /thresholds\.json is the wrong file: its SHA-256 is \w+…, expected \w+…/,
  ],
  "a file that is longer": [
    broken("config.json", (r) => r.end(" ".repeat(5000))),
    /config\.json is the wrong file: its size/,
  ],
  "a download that ends early": [
    broken("tokenizer.json", (r) => r.end("{}")),
    /tokenizer\.json ended after 2 of \d+ bytes/,
  ],
  "a model of another build than the page": [
    broken("manifest.json", (r) =>
      r.end(JSON.stringify({ ...MANIFEST, recipe: { labels: { names: ["a"] } } })),
    ),
    /The model on the server is not this page's: load the page again/,
  ],
  "a manifest without the model that is asked for": [
    broken("manifest.json", (r) => r.end(JSON.stringify({ ...MANIFEST, variants: [] }))),
    /small is not in the model's manifest\.json/,
  ],
  "a missing worker": [broken("worker.js", (r) => r.writeHead(404).end()), /could not be started/],
};
for (const [name, [intercept, message]] of Object.entries(FAULTS)) {
  test(`${name} is said in one sentence`, () =>
    visit(
      async ({ page, url }) => {
        await page.goto(url);
        assert.match(await failure(page), message);
        assert.match(await page.textContent("#verdict"), /not running/);
        assert.equal(await page.getAttribute("#failure", "role"), "alert");
      },
      { host: { intercept } },
    ));
}

test("after a failure, trying again goes on; a variant that fails leaves the other at work", async () => {
  const gone = new Set(["model_quantized.onnx", "model.onnx"]);
  const intercept = (asked, response) => {
    if (!gone.has(path.basename(asked))) return false;
    response.writeHead(503).end();
    return true;
  };
  await visit(
    async ({ page, url }) => {
      await page.goto(url);
      assert.match(await failure(page), /HTTP 503/);
      gone.delete("model_quantized.onnx");
      await page.click("#retry");
      await ready(page);
      assert.ok(await page.isHidden("#failure"));
      await page.check("[value=fp32]", { noWaitAfter: true }).catch(() => {});
      assert.match(await failure(page), /onnx\/model\.onnx is missing/);
      assert.ok(await page.isChecked("[value=int8]"));
      await type(page, TEXT);
      await assertShows(page, "int8", ROW);
    },
    { host: { intercept } },
  );
});

test("a browser without WebAssembly, or out of memory, says so", async () => {
  await visit(async ({ page, url }) => {
    await page.addInitScript(() => delete globalThis.WebAssembly);
    await page.goto(url);
    assert.match(await failure(page), /no WebAssembly/);
    assert.ok(await page.isHidden("#retry"));
  });
  const script = await readFile(path.join(PAGE, "worker.js"), "utf-8");
  // The largest request that the browser grants is below the graph's size.
  const little =
    "const Real=Uint8Array;globalThis.Uint8Array=class extends Real{constructor(...a){if(a[0]>2e7)throw new RangeError('Array buffer allocation failed');super(...a)}};";
  await visit(
    async ({ page, url }) => {
      await page.goto(url);
      assert.match(await failure(page), /too little free memory for small/);
    },
    {
      host: {
        intercept: broken("worker.js", (r) =>
          r.writeHead(200, { "Content-Type": "text/javascript" }).end(little + script),
        ),
      },
    },
  );
});

test("opened as a file, it says how to serve it", async () => {
  const page = await browser.newPage();
  await page.goto(`file://${PAGE}/index.html`);
  assert.match(await failure(page), /web server.*python3 -m http\.server/);
  await page.close();
});
