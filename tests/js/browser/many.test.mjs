/** Many texts at once, and answers on their way out: tables, JSON, links. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { parse } from "../../../web/src/csv.js";
import { expected } from "../compare.mjs";
import { ready, TEXT, visit } from "./visit.mjs";

const CLIPBOARD = { permissions: ["clipboard-read", "clipboard-write"] };
const HOSTILE = '<img src=x onerror="thrown()">';
const FORMULA = "=cmd|' /C calc'!A0 and joy";
const clipboard = (page) => page.evaluate(() => navigator.clipboard.readText());

/** Put a text into the field as someone does who copied it elsewhere. */
async function paste(page, text) {
  await page.fill("#text", "");
  await page.evaluate((copied) => navigator.clipboard.writeText(copied), text);
  await page.click("#text");
  await page.keyboard.press("Control+v");
}

const labelled = (page, count) => page.waitForSelector(`#many-text >> text=${count} texts labelled.`);

/** The rows of the file that is saved, and its name. */
async function saved(page) {
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("#download")]);
  const text = await readFile(await download.path(), "utf-8");
  assert.equal(text[0], "\ufeff");
  return { name: download.suggestedFilename(), rows: parse(text.slice(1), ",").rows };
}

/** What Python says of a text. */
function python(text) {
  const row = expected.texts.indexOf(text);
  const { probabilities, decisions } = expected.variants.int8;
  const found = expected.labels.map((label, column) => [
    label,
    probabilities[row][column],
    decisions[row][column],
  ]);
  const decided = found.filter(([, , yes]) => yes).sort(([, a], [, b]) => b - a);
  return {
    labels: decided.map(([label]) => label),
    probabilities: found.map(([, probability]) => probability),
  };
}

/** Lines that are pasted are labelled as Python labels them. */
async function lines(page) {
  const plain = expected.texts.filter((text) => /^[^",\r\n]{5,80}$/.test(text) && text.trim() === text);
  const texts = plain.slice(0, 10);
  await paste(page, `${texts.join("\n")}\n\n`);
  await labelled(page, texts.length);
  assert.ok(await page.isChecked("[name=reading][value=lines]"));
  const { name, rows } = await saved(page);
  assert.equal(name, "minilm-l6-go-emotions.csv");
  assert.deepEqual(rows.shift(), ["text", "labels", "truncated", ...expected.labels]);
  for (const [at, [text, labels, truncated, ...probabilities]] of rows.entries()) {
    const { labels: named, probabilities: right } = python(texts[at]);
    assert.equal(text, texts[at]);
    assert.equal(labels, named.join("|"));
    assert.equal(truncated, "false");
    for (const [column, found] of probabilities.entries())
      assert.ok(Math.abs(Number(found) - right[column]) < 0.05);
  }
}

/** A table keeps its columns; nothing in it becomes HTML here, or a formula elsewhere. */
async function table(page) {
  const quoted = `"${HOSTILE.replaceAll('"', '""')}"`;
  await paste(page, `id,text,n\n1,${TEXT},-3\n2,${FORMULA},+x\n3,${quoted},4\n4,,5`);
  await labelled(page, 4);
  assert.ok(await page.isChecked("[name=reading][value=table]"));
  assert.equal(await page.$eval("#column", ({ selectedOptions }) => selectedOptions[0].text), "text");
  assert.equal(await page.locator("#table-body td:first-child").nth(2).textContent(), HOSTILE);
  assert.equal(await page.locator("#table img").count(), 0);
  const { rows } = await saved(page);
  assert.deepEqual(
    rows.map((row) => row.slice(0, 3)),
    [
      ["id", "text", "n"],
      ["1", TEXT, "-3"],
      ["2", `'${FORMULA}`, "'+x"],
      ["3", HOSTILE, "4"],
      ["4", "", "5"],
    ],
  );
  assert.equal(rows[1][3], "love");
  assert.equal(rows[4].slice(3).join(""), "");
  await page.click("#copy");
  const copied = JSON.parse(await clipboard(page));
  assert.equal(copied.model, "minilm-l6-go-emotions");
  assert.deepEqual(copied.thresholds, expected.thresholds);
  assert.deepEqual(
    copied.texts.map(({ text }) => text),
    [TEXT, FORMULA, HOSTILE],
  );
  assert.deepEqual(copied.texts[0].answers[0].labels, ["love"]);
  // Another column, and no names: five rows of numbers and one word.
  await page.selectOption("#column", { label: "n" });
  await page.uncheck("#has-names");
  await labelled(page, 5);
  assert.deepEqual(await page.locator("#table-body td:first-child").allTextContents(), [
    "n",
    "-3",
    "+x",
    "4",
    "5",
  ]);
}

/** What is too long is said, not tried. */
async function limits(page) {
  await page.evaluate(() => {
    const texts = Array.from({ length: 5_300 }, (_, number) => `text ${number}`);
    document.querySelector("#text").value = texts.join("\n");
    document.querySelector("#text").dispatchEvent(new InputEvent("input", { inputType: "insertFromPaste" }));
  });
  await page.waitForSelector("#many-text >> text=The 300 beyond are left out: a page takes 5,000.");
  await page.click("#stop");
  assert.match(await page.textContent("#many-text"), /^Stopped after [\d,]+ of 5,000 texts\./);
  const done = Number((await page.textContent("#many-text")).match(/after ([\d,]+)/)[1].replace(",", ""));
  if (done) assert.equal((await saved(page)).rows.length, done + 1);
  // Going on, and leaving: the table's work ends with its view.
  await page.click("#stop");
  await page.check("[name=reading][value=one]");
  await page.waitForSelector("#measure >> text=512 tokens, cut there");
  const left = await page.textContent("#many-text");
  await page.waitForTimeout(300);
  assert.equal(await page.textContent("#many-text"), left);
  assert.ok(await page.isEnabled("#copy"));
  for (const [length, words] of [
    [100_001, "Found 100,001 characters: one text may have 100,000."],
    [1_000_001, "Found 1,000,001 characters: this page takes 1,000,000 at most."],
  ]) {
    await page.fill("#text", "a".repeat(length));
    assert.equal(await page.textContent("#problem"), words);
    assert.ok(await page.isDisabled("#copy"));
    assert.ok(await page.isDisabled("#share"));
  }
}

/** A text leaves as JSON and as a link, which brings it back, and is never more than text. */
async function links(page, url, server) {
  const text = `${TEXT} 100% & #1 + "é" 日本 <script>thrown()</script>`;
  await page.goto("about:blank");
  await page.goto(`${url}#text=${encodeURIComponent(text)}`);
  await page.waitForSelector(".chip >> text=love");
  assert.equal(await page.inputValue("#text"), text);
  await page.click("#copy");
  const [only] = JSON.parse(await clipboard(page)).texts;
  assert.equal(only.text, text);
  assert.equal(only.truncated, false);
  assert.deepEqual(Object.keys(only.answers[0].probabilities), expected.labels);
  assert.equal(await page.textContent("#copy"), "Copied");
  await page.click("#share");
  const link = await clipboard(page);
  assert.ok(link.startsWith(`${url}#text=`));
  // What follows # never went to the host.
  assert.ok(server.requests.every((each) => !each.url.includes("love")));

  const follow = (hash) =>
    page.evaluate((text) => {
      location.hash = text;
    }, hash);
  const holds = (start) =>
    page.waitForFunction((begun) => document.querySelector("#text").value.startsWith(begun), start);
  await follow("#text=I%20am%20late%E0%A4%A&read=__proto__");
  await holds("I am late");
  await follow(link.split("#")[1]);
  await holds(text);
  await follow(`#text=${encodeURIComponent(`${HOSTILE}\n=1+1`)}&read=lines`);
  await labelled(page, 2);
  assert.deepEqual(await page.locator("#table-body td:first-child").allTextContents(), [HOSTILE, "=1+1"]);
  // The browser itself lets no text become HTML.
  const refused = page.evaluate(() => {
    document.body.innerHTML = "<b>";
  });
  await assert.rejects(refused, /TrustedHTML/);

  await page.goto("about:blank");
  await page.goto(`${url}#text=${"a".repeat(4_001)}`);
  await ready(page);
  assert.match(await page.textContent("#problem"), /has 4,001 characters, over 4,000: it was left out\./);
  assert.ok(await page.isVisible("#problem"));
  assert.equal(await page.inputValue("#text"), "");
}

test("what is pasted gives a table, answers leave as CSV, JSON and links, and what is too long is said", () =>
  visit(
    async ({ page, url, server }) => {
      await page.goto(url);
      await ready(page);
      await lines(page);
      await table(page);
      await limits(page);
      await links(page, url, server);
    },
    { context: CLIPBOARD },
  ));
