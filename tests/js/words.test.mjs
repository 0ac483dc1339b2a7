/** What the page says of a model is the recipe's: title, description, examples, and nothing of another's. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { asPage, underPolicy } from "../../web/card.mjs";
import { described } from "../../web/described.mjs";
import { filled } from "../../web/words.mjs";

const page = await readFile(path.resolve(import.meta.dirname, "../../web/index.html"), "utf-8");
const THRESHOLDS = { late: 0.2, "a<b": 0.30000001192092896, c: 0.05, d: 0, e: 0.5, f: 0.6 };

function manifest(card, { single = false, variants = [["fp32", 90_703_370]] } = {}) {
  const files = Object.fromEntries(variants.map(([name, size]) => [`${name}.onnx`, { size }]));
  return {
    name: "parcels",
    recipe: { card, labels: { names: Object.keys(THRESHOLDS) } },
    head: {
      problem_type: single ? "single_label_classification" : "multi_label_classification",
      thresholds: THRESHOLDS,
    },
    variants: variants.map(([name]) => ({
      name,
      file: `${name}.onnx`,
      parity: { texts: 119, flip_rate: name === "int8" ? 2 / 119 : 0 },
    })),
    files: { ...files, "tokenizer.json": { size: 711_495 } },
  };
}
const show = (...of) => filled(page, described(manifest(...of), 14_200_000));

test("title, description, examples and uses are the card's, as text", () => {
  const found = show({
    title: "Is <it> late?",
    description: 'Says "late" & $& lost.',
    examples: ["It's <b>late</b>", "On time"],
    use: "To sort <mail>.",
    misuse: "People.",
    licenses: { encoder: "MIT", head: "none" },
    license: "mit",
  });
  assert.match(found, /<title>Is &#60;it&#62; late\?<\/title>/);
  assert.match(found, /content="Says &#34;late&#34; &#38; \$&#38; lost\."/);
  assert.equal([...found.matchAll(/<button type="button">/g)].length, 2);
  assert.match(found, /<button type="button">It&#39;s &#60;b&#62;late/);
  assert.match(found, /<dt>Made for<\/dt><dd>To sort &#60;mail&#62;\.<\/dd>/);
  assert.match(found, /<dt>Licences<\/dt><dd>encoder: MIT\. head: none<\/dd>/);
  assert.match(found, /Licence: <a href="https:\/\/opensource\.org\/license\/mit">MIT<\/a>/);
  assert.doesNotMatch(found, /\{\{|emotion/i);
});

test("without a card the name and the labels say it, and there are no examples", () => {
  const found = show({ title: null, description: null, examples: [], license: "of-my-own" });
  assert.match(found, /<h1>parcels<\/h1>/);
  assert.match(found, /labels what you type: late, a&#60;b, c, d, e, …\. It runs here/);
  assert.match(found, /<span>Licence: of-my-own<\/span>/);
  assert.doesNotMatch(found, /class="examples"|undefined|null|NaN|\{\{|emotion/i);
});

test("every label has its row before any program runs, and its threshold as a number", () => {
  const found = show({});
  assert.equal([...found.matchAll(/<li class="row">/g)].length, 6);
  assert.match(found, /aria-label="a&#60;b".*?>threshold 0\.3</s);
  // A threshold of 0 is none.
  assert.equal([...found.matchAll(/>threshold /g)].length, 5);
  const told = JSON.parse(found.match(/id="model">(.*?)<\/script>/s)[1]);
  assert.deepEqual(
    Object.fromEntries(told.labels.map(({ label, threshold }) => [label, threshold])),
    THRESHOLDS,
  );
});

test("variants are small, exact and both, with the sizes and figures of the manifest", () => {
  const variants = [
    ["fp32", 90_703_370],
    ["int8", 25_048_396],
    ["of-tomorrow", 5_000_000],
  ];
  const { choices } = described(manifest({}, { variants }), 1);
  assert.deepEqual(
    choices.map(({ word, bytes }) => [word, bytes]),
    [
      ["of-tomorrow", 5_000_000],
      ["small", 25_048_396],
      ["exact", 90_703_370],
      ["both", 115_751_766],
    ],
  );
  const found = show({}, { variants });
  assert.match(found, /value="int8" checked.*small.*\s+<small>25 MB<\/small>/);
  assert.match(found, /8-bit integers\. 2 of 119 check texts got other labels/);
  assert.match(found, /To download: 25 MB of model, 0\.7 MB of vocabulary, 14 MB of onnxruntime/);
  assert.match(show({}), /value="fp32" checked.*exact/);
  assert.deepEqual(described(manifest({}), 1).choices.length, 1);
});

test("a single-label model names the longest bar", () => {
  assert.match(show({}, { single: true }), /The longest bar is named, unless it is short of its mark\./);
  const { labels } = described(manifest({}, { single: true }), 1);
  const none = { ...described(manifest({}, { single: true }), 1) };
  none.labels = labels.map((each) => ({ ...each, threshold: 0 }));
  const found = filled(page, none);
  assert.match(found, /The longest bar is named\.</);
  assert.doesNotMatch(found, /class="mark"/);
});

test("card and report run nothing, whatever they hold", () => {
  const card =
    "---\nlicense: mit\n---\n# A <b>\n\n<script>alert(1)</script>\n\n[go](javascript:alert(1))\n\n" +
    "| a |\n| - |\n| 1 |\n\n<details><summary>More <i></summary>\n\ntext\n\n</details>\n";
  const found = asPage(card, "</title><script>");
  assert.doesNotMatch(found, /<script|href="javascript|<i>|license: mit/);
  assert.match(found, /<details><summary>More &lt;i&gt;<\/summary>\s*<p>text<\/p>\s*<\/details>/);
  assert.match(found, /<td>1<\/td>/);
  for (const hostile of ["<script>alert(1)</script>", "\ufeff<!DOCTYPE html><script>", "<!doctype html>x"]) {
    const { index } = underPolicy(hostile).match(/default-src 'none'/);
    assert.ok(index < 120);
    assert.equal([...underPolicy(hostile).matchAll(/<!doctype/gi)].length, 1);
  }
});
