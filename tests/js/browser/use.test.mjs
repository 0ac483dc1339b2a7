/** The page by use: type, read, switch, come back, with threads and without. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { expected } from "../compare.mjs";
import { assertShows, assertShowsBoth, PAGE, ROW, ready, SHOTS, TEXT, type, visit } from "./visit.mjs";

/** The text that int8 and fp32 decide otherwise, furthest from its threshold; and on which labels, the surest first. */
function disputed() {
  const { int8, fp32 } = expected.variants;
  const rows = expected.texts.flatMap((text, row) => {
    const differ = expected.labels.flatMap((label, at) => {
      if (int8.decisions[row][at] === fp32.decisions[row][at]) return [];
      const near = Math.min(
        ...[int8, fp32].map(({ probabilities }) =>
          Math.abs(probabilities[row][at] - expected.thresholds[label]),
        ),
      );
      const highest = (int8.decisions[row][at] ? int8 : fp32).probabilities[row][at];
      return [{ label, near, highest }];
    });
    if (!differ.length) return [];
    const labels = differ.toSorted((a, b) => b.highest - a.highest).map(({ label }) => label);
    return [{ text, labels, near: Math.min(...differ.map(({ near }) => near)) }];
  });
  return rows.sort((a, b) => b.near - a.near)[0];
}

test("what is typed is answered as Python answers it, in both variants", () =>
  visit(async ({ page, url }) => {
    await page.goto(url);
    await ready(page);
    assert.match(await page.textContent("#verdict"), /Write something/);
    assert.equal(await page.textContent("#runs-in"), "WebAssembly, 1 thread");
    await type(page, TEXT);
    await assertShows(page, "int8", ROW);
    assert.match(await page.textContent(".chip"), /^love \d\.\d\d$/);
    assert.match(await page.textContent("#measure"), /^\d+ tokens · [\d.]+ ms · small$/);
    await page.check("[value=fp32]");
    await page.waitForFunction(() => document.querySelector("#measure").textContent.includes("exact"));
    await page.waitForTimeout(500);
    await assertShows(page, "fp32", ROW);
    // Small is still in the cache; exact is open, and goes on answering.
    await page.check("[value=both]");
    await page.waitForSelector("#bars.two");
    await page.waitForTimeout(300);
    await assertShowsBoth(page, ["int8", "fp32"], ROW);
    assert.match(await page.textContent("#measure"), /^\d+ tokens · [\d.]+ and [\d.]+ ms · small and exact$/);
    assert.match(
      await page.textContent("#pair"),
      /They decide alike; probabilities differ by 0\.\d\d at most\./,
    );
    const { text, labels } = disputed();
    await page.fill("#text", text);
    await page.waitForSelector(`#pair >> text=They decide otherwise on ${labels.join(", ")}.`);
    assert.deepEqual((await page.locator(".differs .name").allTextContents()).toSorted(), labels.toSorted());
    const only = await page.locator(".chip.only").allTextContents();
    for (const chip of only) assert.match(chip, / [01]\.\d\d, (small|exact) only$/);
    assert.equal(only.length, labels.length);
    await page.check("[value=fp32]");
    await page.waitForSelector("#bars:not(.two)");
    await page.click("summary");
    assert.match(await page.textContent("#facts"), /minilm-l6-go-emotions.*onnx\/model\.onnx, 91 MB/s);
    await page.fill("#text", " ");
    assert.match(await page.textContent("#verdict"), /Write something/);
    assert.equal(await page.textContent("#measure"), "");
  }));

test("an example is one press away, a long text is said to be cut, and the second load is the cache's", () =>
  visit(async ({ page, context, server, url }) => {
    await page.goto(url);
    await ready(page);
    await page.click("text=I miss her so much.");
    await page.waitForSelector(".chip >> text=sadness");
    await page.fill("#text", "word ".repeat(700));
    await page.waitForSelector("#measure >> text=512 tokens, cut there");
    assert.match(await page.textContent("#facts"), /from the server/);
    const large = () =>
      server.requests.filter(
        ({ url: asked, status }) => status === 200 && /\.(onnx|wasm)$|tokenizer\.json$/.test(asked),
      );
    assert.equal(large().length, 3);
    const again = await context.newPage();
    await again.goto(url);
    await ready(again);
    await again.fill("#text", TEXT);
    await again.waitForSelector(".chip >> text=love");
    assert.match(await again.textContent("#facts"), /from this browser's cache/);
    assert.equal(large().length, 3);
  }));

test("progress is shown in bytes while the model comes", async () => {
  // Held back until the test has looked.
  let release;
  const held = new Promise((resolve) => {
    release = resolve;
  });
  const slow = (asked, response) => {
    if (!asked.endsWith("model_quantized.onnx")) return false;
    readFile(path.join(PAGE, "model/onnx/model_quantized.onnx")).then(async (bytes) => {
      response.writeHead(200, { "Content-Length": bytes.length });
      response.write(bytes.subarray(0, bytes.length / 2));
      await held;
      response.end(bytes.subarray(bytes.length / 2));
    });
    return true;
  };
  await visit(
    async ({ page, url }) => {
      await page.goto(url);
      await page.waitForFunction(() =>
        /Downloading small: [\d.]+ MB of 40 MB/.test(document.querySelector("#loading-text").textContent),
      );
      await page.waitForFunction(() => document.querySelector("#progress").position > 0.5);
      assert.ok((await page.evaluate(() => document.querySelector("#progress").position)) < 1);
      await page.screenshot({ path: path.join(SHOTS, "loading.png") });
      release();
      await ready(page);
    },
    { host: { intercept: slow } },
  );
});

test("with COOP and COEP it runs in threads", () =>
  visit(
    async ({ page, url }) => {
      await page.goto(url);
      await ready(page);
      assert.ok(await page.evaluate(() => crossOriginIsolated));
      const cores = await page.evaluate(() => navigator.hardwareConcurrency);
      assert.match(await page.textContent("#runs-in"), new RegExp(`, ${Math.min(4, cores)} threads?$`));
      await type(page, TEXT);
      await assertShows(page, "int8", ROW);
    },
    { host: { isolated: true } },
  ));
