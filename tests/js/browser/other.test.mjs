/** The page of another recipe: other words, five labels in an order of their own, one of them a text. */
import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { ROOT } from "../compare.mjs";
import { ready, SHOTS, visit } from "./visit.mjs";

const OTHER = path.resolve(ROOT, process.env.OTHER ?? "build/minilm-l6-go-emotions/js/other-web");
const LABELS = ["sport", "food", "<b>bold</b> travel", "music", "work"];

test("a single-label model of another recipe has its own words, and names its longest bar", () =>
  visit(
    async ({ page, url }) => {
      await page.goto(url);
      await ready(page);
      assert.equal(await page.title(), "What is it about?");
      assert.match(
        await page.textContent(".lead"),
        /labels what you type: sport, food, <b>bold<\/b> travel, music, work\./,
      );
      assert.doesNotMatch(await page.textContent("header"), /emotion/i);
      assert.doesNotMatch(await page.textContent(".columns"), /emotion|guarded|both/i);
      assert.equal(await page.getByRole("radio", { includeHidden: false }).count(), 1);
      assert.deepEqual(await page.locator(".row .name").allTextContents(), LABELS);
      await page.click(".examples button");
      await page.waitForSelector(".chip >> text=food");
      assert.deepEqual(await page.locator(".chip").count(), 1);
      const rows = page.locator(".row .name");
      assert.deepEqual((await rows.allTextContents()).slice(0, 2), ["food", "sport"]);
      const food = page.getByRole("meter", { name: "food", exact: true });
      assert.match(await food.getAttribute("aria-valuetext"), /^0\.\d\d, chosen$/);
      await page.selectOption("#order", "listed");
      assert.deepEqual(await rows.allTextContents(), LABELS);
      // The longest, and still short of its mark.
      await page.fill("#text", "music");
      await page.waitForSelector("#verdict >> text=No label reaches its threshold.");
      await page.hover(".row:nth-child(4)");
      assert.ok(await page.isVisible(".row:nth-child(4) .threshold >> text=threshold 0.9"));
      assert.equal(await page.locator(".threshold").count(), 1);
      await page.fill("#text", "travel");
      await page.waitForSelector(".chip >> text=<b>bold</b> travel");
      await page.screenshot({ path: path.join(SHOTS, "other.png"), fullPage: true });
    },
    { page: OTHER },
  ));
