/** The page for everyone: keys alone, a screen reader, small screens, both colour schemes. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { expected, ROOT } from "../compare.mjs";
import { ready, SHOTS, shifted, TEXT, type, visit } from "./visit.mjs";

const AXE = path.join(ROOT, "node_modules/axe-core/axe.min.js");

test("keys alone: the text, an example, a threshold, the order, the variants and the details", () =>
  visit(async ({ page, url }) => {
    await page.goto(url);
    await ready(page);
    const focused = () =>
      page.evaluate(() => {
        const { id, value, textContent, ariaLabel } = document.activeElement;
        return id || value || ariaLabel || textContent;
      });
    const press = async (...keys) => {
      for (const key of keys) await page.keyboard.press(key);
    };
    await press("Tab");
    assert.equal(await focused(), "text");
    await page.keyboard.type(TEXT);
    await page.waitForSelector(".chip >> text=love");
    await press("Tab", "Enter");
    await page.waitForSelector(".chip >> text=gratitude");
    await press("Tab", "Tab", "Tab", "Tab");
    assert.equal(await focused(), "copy");
    await press("Tab", "Tab");
    assert.equal(await focused(), "order");
    await press("Tab");
    const visible = () => page.locator(".threshold:visible").allTextContents();
    const threshold = (label) => [`threshold ${expected.thresholds[label]}`];
    assert.equal(await focused(), "gratitude");
    assert.deepEqual(await visible(), threshold("gratitude"));
    await press("ArrowDown");
    const second = await focused();
    assert.equal(second, await page.textContent(".row:nth-child(2) .name"));
    assert.deepEqual(await visible(), threshold(second));
    await press("Escape");
    assert.deepEqual(await visible(), []);
    await press("End");
    assert.equal(await focused(), await page.textContent(".row:last-child .name"));
    await press("Home", "ArrowUp", "ArrowDown");
    assert.equal(await focused(), "gratitude");
    await press("Tab");
    assert.equal(await focused(), "int8");
    const outline = await page.$eval(
      "label:has(:focus-visible)",
      (label) => getComputedStyle(label).outlineStyle,
    );
    assert.equal(outline, "solid");
    await press("ArrowRight");
    await page.waitForFunction(() => document.querySelector("#measure").textContent.includes("exact"));
    await press("Tab", "Enter");
    assert.ok(await page.$eval("#about", (details) => details.open));
    await press("Tab");
    assert.equal(await focused(), "Model card");
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
    // And both at once.
    assert.equal(await page.getByRole("radio").count(), Object.keys(expected.variants).length + 1);
  }));

async function assertFits(page) {
  const [scroll, inner] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(scroll <= inner, `${scroll} of ${inner}`);
  const { violations, passes } = await page.evaluate(() => axe.run());
  assert.ok(passes.length > 15);
  assert.deepEqual(
    violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]),
    [],
  );
}

const LINES =
  "text,stars\nI love this.,5\nWhy would anyone do that?,1\nI miss her so much and nobody told me about it.,2";
const SAID = "Thank you so much for the kind words, I love it and they made me laugh!";

for (const colorScheme of ["light", "dark"]) {
  for (const [width, height] of [
    [1280, 860],
    [390, 844],
    [320, 640],
  ]) {
    test(`${width} wide, ${colorScheme}: nothing jumps or goes beyond the edge, nothing for axe to find`, () =>
      visit(
        async ({ page, url }) => {
          const shot = (name) =>
            page.screenshot({ path: path.join(SHOTS, `${name}${width}-${colorScheme}.png`), fullPage: true });
          await page.goto(url);
          await ready(page);
          const moved = await shifted(page);
          assert.ok(moved < 0.01, `${moved}`);
          await page.evaluate(await readFile(AXE, "utf-8"));
          await type(page, SAID);
          await page.click("summary");
          const row = page.locator(".row", { hasText: "love" });
          await (width < 400 ? row.tap() : row.hover());
          assert.deepEqual(await page.locator(".threshold:visible").allTextContents(), ["threshold 0.2"]);
          await assertFits(page);
          await shot("");
          // Each width and each scheme once.
          if (colorScheme === (width === 390 ? "dark" : "light")) {
            await page.fill("#text", "");
            await page.evaluate((text) => navigator.clipboard.writeText(text), LINES);
            await page.focus("#text");
            await page.keyboard.press("Control+v");
            await page.waitForSelector("#many-text >> text=3 texts labelled.");
            await assertFits(page);
            await shot("table-");
          } else if (width > 320) {
            await page.check("[value=both]");
            await page.waitForSelector("#bars.two");
            await assertFits(page);
            await shot("both-");
          }
        },
        {
          context: {
            colorScheme,
            viewport: { width, height },
            hasTouch: width < 400,
            permissions: ["clipboard-read", "clipboard-write"],
          },
        },
      ));
  }
}

for (const name of ["card.html", "report.html"]) {
  test(`${name} is beside the page, fits a phone, and runs nothing`, () =>
    visit(
      async ({ page, url }) => {
        await page.goto(url);
        const link = page.locator(`.links a[href="${name}"]`);
        await link.click();
        await page.waitForURL(`${url}${name}`);
        const [scroll, inner] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
        assert.ok(scroll <= inner, `${scroll} of ${inner}`);
        assert.match(await page.textContent("body"), /int8/);
        assert.equal(await page.locator('a[href="README.md"]').count(), 0);
        const ran = page.evaluate(() => {
          document.body.append(
            Object.assign(document.createElement("script"), { text: "globalThis.ran = 1" }),
          );
          return globalThis.ran ?? "nothing";
        });
        assert.equal(await ran, "nothing");
      },
      { context: { viewport: { width: 390, height: 844 } } },
    ));
}
