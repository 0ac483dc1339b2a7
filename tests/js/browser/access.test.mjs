/** The page for everyone: keys alone, a screen reader, small screens, both colour schemes. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { expected, ROOT } from "../compare.mjs";
import { ready, SHOTS, TEXT, type, visit } from "./visit.mjs";

const AXE = path.join(ROOT, "node_modules/axe-core/axe.min.js");

test("keys alone: reach the text, an example, the variants and the details", () =>
  visit(async ({ page, url }) => {
    await page.goto(url);
    await ready(page);
    const focused = () =>
      page.evaluate(
        () => document.activeElement.id || document.activeElement.value || document.activeElement.textContent,
      );
    await page.keyboard.press("Tab");
    assert.equal(await focused(), "text");
    await page.keyboard.type(TEXT);
    await page.waitForSelector(".chip >> text=love");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.waitForSelector(".chip >> text=gratitude");
    for (let turn = 0; turn < 4; turn += 1) await page.keyboard.press("Tab");
    assert.equal(await focused(), "int8");
    const outline = await page.$eval(
      "label:has(:focus-visible)",
      (label) => getComputedStyle(label).outlineStyle,
    );
    assert.equal(outline, "solid");
    await page.keyboard.press("ArrowRight");
    await page.waitForFunction(() => document.querySelector("#measure").textContent.includes("exact"));
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    assert.ok(await page.$eval("#about", (details) => details.open));
  }));

test("a screen reader hears the result once it stands, and every bar in words", () =>
  visit(async ({ page, url }) => {
    await page.goto(url);
    await ready(page);
    await page.evaluate(() => {
      globalThis.heard = [];
      const listen = () => heard.push(document.querySelector("#announcer").textContent);
      new MutationObserver(listen).observe(document.querySelector("#announcer"), {
        childList: true,
        subtree: true,
      });
    });
    await page.waitForTimeout(1200);
    await page.evaluate(() => {
      heard.length = 0;
    });
    await page.click("#text");
    await page.keyboard.type(TEXT, { delay: 60 });
    await page.waitForTimeout(1800);
    assert.deepEqual(await page.evaluate(() => heard), ["love"]);
    const meter = page.getByRole("meter", { name: "love", exact: true });
    assert.match(await meter.getAttribute("aria-valuetext"), /^[01]\.\d\d, reaches its threshold of 0\.2$/);
    assert.equal(await page.getByRole("meter").count(), expected.labels.length);
    assert.equal(await page.getByRole("textbox", { name: "Your text" }).count(), 1);
    assert.equal(await page.getByRole("radio").count(), Object.keys(expected.variants).length);
  }));

for (const colorScheme of ["light", "dark"]) {
  for (const [width, height] of [
    [1280, 860],
    [390, 844],
    [320, 640],
  ]) {
    test(`${width} wide, ${colorScheme}: nothing beyond the edge, nothing for axe to find`, () =>
      visit(
        async ({ page, url }) => {
          await page.goto(url);
          await ready(page);
          await type(page, "Thank you so much for the kind words, I love it and they made me laugh!");
          await page.click("summary");
          const [scroll, inner] = await page.evaluate(() => [
            document.documentElement.scrollWidth,
            innerWidth,
          ]);
          assert.ok(scroll <= inner, `${scroll} of ${inner}`);
          await page.evaluate(await readFile(AXE, "utf-8"));
          const { violations, passes } = await page.evaluate(() => axe.run());
          assert.ok(passes.length > 15);
          assert.deepEqual(
            violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]),
            [],
          );
          await page.screenshot({ path: path.join(SHOTS, `${width}-${colorScheme}.png`), fullPage: true });
        },
        { context: { colorScheme, viewport: { width, height } } },
      ));
  }
}
