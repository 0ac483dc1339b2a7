/** What the page says of a model is the recipe's: title, description, examples, and nothing of another's. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { filled } from "../../web/words.mjs";

const page = await readFile(path.resolve(import.meta.dirname, "../../web/index.html"), "utf-8");
const recipe = (card, names = ["late", "lost", "a", "b", "c", "d"]) => ({ card, labels: { names } });

test("title, description and examples are the card's, as text", () => {
  const card = {
    title: "Is <it> late?",
    description: 'Says "late" & $& lost.',
    examples: ["It's <b>late</b>", "On time"],
  };
  const found = filled(page, { name: "parcels", recipe: recipe(card) });
  assert.match(found, /<title>Is &#60;it&#62; late\?<\/title>/);
  assert.match(found, /content="Says &#34;late&#34; &#38; \$&#38; lost\."/);
  assert.equal([...found.matchAll(/<button type="button">/g)].length, 2);
  assert.match(found, /<button type="button">It&#39;s &#60;b&#62;late/);
  assert.doesNotMatch(found, /\{\{|emotion/i);
});

test("without a card the name and the labels say it, and there are no examples", () => {
  const found = filled(page, {
    name: "parcels",
    recipe: recipe({ title: null, description: null, examples: [] }),
  });
  assert.match(found, /<h1>parcels<\/h1>/);
  assert.match(found, /labels what you type: late, lost, a, b, c, …\. It runs here/);
  assert.doesNotMatch(found, /class="examples"|undefined|null|\{\{|emotion/i);
});
