/** The page's numbers, in Chromium: `node tests/js/measure.mjs PAGE`. Medians (lowest–highest). */
import { launch } from "./chromium.mjs";
import { serve } from "./serve.mjs";

const LOADS = 7;
const ANSWERS = 100;
// 20 tokens, [CLS] and [SEP] among them.
const TEXT = "Thank you so much for the kind words, they made my whole week a lot better.";

function spread(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b);
  const at = (share) => sorted[Math.round(share * (sorted.length - 1))].toFixed(0);
  return `${at(0.5)} (${at(0)}–${at(1)})`;
}

/** Milliseconds from the start of the navigation to the first answer, a text waiting from the start. */
async function firstAnswer(page, url) {
  await page.goto(url, { waitUntil: "commit" });
  await page.fill("#text", TEXT);
  const found = await page.waitForFunction(() => document.querySelector(".chip") && performance.now());
  return found.jsonValue();
}

/** What the page itself says that each answer took. */
async function answers(page) {
  const times = [];
  for (let turn = 0; turn < ANSWERS; turn += 1) {
    const before = `${TEXT}${"!".repeat(turn % 2)}`;
    await page.evaluate(() => (document.querySelector("#measure").textContent = ""));
    await page.fill("#text", before);
    const shown = await page.waitForFunction(() => document.querySelector("#measure").textContent);
    times.push(Number.parseFloat((await shown.jsonValue()).split("·")[1]));
  }
  return times;
}

async function measure(browser, folder, isolated) {
  const server = await serve({ "/": folder }, { isolated });
  const context = await browser.newContext();
  const page = await context.newPage();
  const threads = isolated ? "threads" : "one thread";
  console.log(`${threads}: first load, ms: ${(await firstAnswer(page, `${server.origin}/`)).toFixed(0)}`);
  const warm = [];
  for (let turn = 0; turn < LOADS; turn += 1) warm.push(await firstAnswer(page, `${server.origin}/`));
  console.log(`${threads}: first answer of a warm load, ms: ${spread(warm)}`);
  console.log(`${threads}: int8, 20 tokens, ms: ${spread(await answers(page))}`);
  await page.check("[value=fp32]");
  await page.waitForFunction(() => document.querySelector("#measure").textContent.includes("exact"));
  console.log(`${threads}: fp32, 20 tokens, ms: ${spread(await answers(page))}`);
  await context.close();
  await server.close();
}

const browser = await launch();
for (const isolated of [false, true]) await measure(browser, process.argv[2], isolated);
await browser.close();
