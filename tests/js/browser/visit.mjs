/** Visiting the page as it is published: a host, a browser, a person's hands, and what is to be seen. */
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { after, before } from "node:test";
import { expected, ROOT } from "../compare.mjs";
import { launch } from "./chromium.mjs";
import { serve } from "./serve.mjs";

export const PAGE = path.resolve(ROOT, process.env.PAGE ?? "dist/minilm-l6-go-emotions-web");
// As deep as a static host may put it.
const FOLDER = "/some/folder/";
export const TEXT = "I love this.";
export const ROW = expected.texts.indexOf(TEXT);

/** A browser for a test file's pages, and the folder of its screenshots. */
export let browser;
export const SHOTS = path.join(ROOT, "build/screenshots");
before(async () => {
  await mkdir(SHOTS, { recursive: true });
  browser = await launch();
});
after(() => browser?.close());

/** Run `body` on a new page of a new host; fails where the page asks another origin or throws. */
export async function visit(body, { host = {}, context: options = {}, page: folder = PAGE } = {}) {
  const server = await serve({ [FOLDER]: folder }, host);
  const context = await browser.newContext(options);
  // A machine that does other work beside.
  context.setDefaultTimeout(90_000);
  const url = `${server.origin}${FOLDER}`;
  const foreign = [];
  const thrown = [];
  context.on("request", (request) => {
    if (!request.url().startsWith(url)) foreign.push(request.url());
  });
  const page = await context.newPage();
  page.on("pageerror", (error) => thrown.push(error.message));
  try {
    await body({ page, context, server, url });
    assert.deepEqual(foreign, []);
    assert.deepEqual(thrown, []);
  } finally {
    await context.close();
    await server.close();
  }
}

/** The page is ready to answer. */
export const ready = (page) => page.waitForSelector("#loading", { state: "hidden" });
/** What the page says has failed. */
export const failure = async (page) => {
  await page.waitForSelector("#failure", { state: "visible" });
  return page.textContent("#failure-text");
};

/** Type as a person does, and wait for the answer. */
export async function type(page, text) {
  await page.fill("#text", "");
  await page.click("#text");
  await page.keyboard.type(text);
  await page.waitForFunction((asked) => document.querySelector("#text").value === asked, text);
  // The last answer is that of the whole text.
  await page.waitForFunction(() => document.querySelector("#measure").textContent.includes("tokens"));
  await page.waitForTimeout(500);
}

/** Label → `{probability, decided}`, as the page shows them. */
async function shown(page) {
  const rows = await page.$$eval(".row", (found) =>
    found.map((row) => [
      row.querySelector(".name").textContent,
      {
        value: Number(row.querySelector(".value").textContent),
        now: Number(row.querySelector(".track").getAttribute("aria-valuenow")),
        decided: row.classList.contains("decided"),
        mark: Number.parseFloat(row.querySelector(".mark").style.left) / 100,
        bar: row.querySelector(".bar").getBoundingClientRect().width,
        track: row.querySelector(".track").getBoundingClientRect().width,
      },
    ]),
  );
  return new Map(rows);
}

/** Each row has two bars and two numbers, which are what Python says of a text. */
export async function assertShowsBoth(page, variants, row) {
  const rows = await page.$$eval(".row", (found) =>
    found.map((item) => ({
      label: item.querySelector(".name").textContent,
      values: [...item.querySelectorAll(".value *")].map(({ textContent }) => Number(textContent)),
      bars: [...item.querySelectorAll(".bar")].map(({ style }) => Number.parseFloat(style.width) / 100),
      decided: [...item.querySelectorAll(".bar")].map(({ classList }) => classList.contains("yes")),
      said: item.querySelector(".track").getAttribute("aria-valuetext"),
    })),
  );
  for (const { label, values, bars, decided, said } of rows) {
    const column = expected.labels.indexOf(label);
    assert.equal(values.length, 2);
    for (const [place, variant] of variants.entries()) {
      const probability = expected.variants[variant].probabilities[row][column];
      const allowed = variant === "fp32" ? 0.0051 : 0.05;
      assert.ok(Math.abs(values[place] - probability) <= allowed, `${label}: ${values}, ${probability}`);
      assert.ok(Math.abs(bars[place] - values[place]) < 0.0051);
      assert.equal(decided[place], Boolean(expected.variants[variant].decisions[row][column]), label);
    }
    assert.match(
      said,
      /^small [01]\.\d\d, (reaches|below) .*; exact [01]\.\d\d, (reaches|below) its threshold/,
    );
  }
}

/** How far what was on the page has moved by itself since it was opened: the browser's own sum. */
export const shifted = (page) =>
  page.evaluate(
    () =>
      new Promise((resolve) => {
        let sum = 0;
        const add = ({ value, hadRecentInput }) => {
          sum += hadRecentInput ? 0 : value;
        };
        new PerformanceObserver((list) => list.getEntries().forEach(add)).observe({
          type: "layout-shift",
          buffered: true,
        });
        setTimeout(() => resolve(sum), 200);
      }),
  );

/** The rows are what Python says of a text. */
export async function assertShows(page, variant, row) {
  const rows = await shown(page);
  assert.deepEqual([...rows.keys()].toSorted(), expected.labels.toSorted());
  for (const [column, label] of expected.labels.entries()) {
    const { value, now, decided, mark, bar, track } = rows.get(label);
    const probability = expected.variants[variant].probabilities[row][column];
    // int8 differs by single rounding steps in WebAssembly; the page shows two places.
    const allowed = variant === "fp32" ? 0.0051 : 0.05;
    assert.ok(Math.abs(value - probability) <= allowed, `${label}: ${value}, Python has ${probability}`);
    assert.ok(Math.abs(now - value) <= 0.0051);
    assert.equal(decided, Boolean(expected.variants[variant].decisions[row][column]), label);
    assert.ok(Math.abs(mark - expected.thresholds[label]) < 1e-4);
    assert.ok(Math.abs(bar / track - now) < 0.02, `${label}: bar ${bar} of ${track}`);
  }
}
