/** The page by use, in Chromium: type, read, switch, fail, come back, keys, assistive technology, phone. */
import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import { expected, ROOT } from "../compare.mjs";
import { launch } from "./chromium.mjs";
import { serve } from "./serve.mjs";

const PAGE = path.resolve(ROOT, process.env.PAGE ?? "dist/minilm-l6-go-emotions-web");
const SHOTS = path.join(ROOT, "build/screenshots");
// As deep as a static host may put it.
const FOLDER = "/some/folder/";
const AXE = path.join(ROOT, "node_modules/axe-core/axe.min.js");
const TEXT = "I love this.";
const ROW = expected.texts.indexOf(TEXT);

let browser;
before(async () => {
  await mkdir(SHOTS, { recursive: true });
  browser = await launch();
});
after(() => browser?.close());

/** Run `body` on a new page of a new host; fails where the page asks another origin or throws. */
async function visit(body, { host = {}, context: options = {} } = {}) {
  const server = await serve({ [FOLDER]: PAGE }, host);
  const context = await browser.newContext(options);
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

const ready = (page) => page.waitForSelector("#loading", { state: "hidden" });
const failure = async (page) => {
  await page.waitForSelector("#failure", { state: "visible" });
  return page.textContent("#failure-text");
};

async function type(page, text) {
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

async function assertShows(page, variant, row) {
  const rows = await shown(page);
  assert.deepEqual([...rows.keys()], expected.labels);
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

test("what is typed is answered as Python answers it, in both variants", () =>
  visit(async ({ page, url }) => {
    await page.goto(url);
    await ready(page);
    assert.match(await page.textContent("#verdict"), /Write something/);
    await type(page, TEXT);
    await assertShows(page, "int8", ROW);
    assert.match(await page.textContent(".chip"), /^love \d\.\d\d$/);
    assert.match(await page.textContent("#measure"), /^\d+ tokens · [\d.]+ ms · int8$/);
    await page.check("[value=fp32]");
    await page.waitForFunction(() => document.querySelector("#measure").textContent.includes("fp32"));
    await page.waitForTimeout(500);
    await assertShows(page, "fp32", ROW);
    await page.click("summary");
    assert.match(await page.textContent("#facts"), /minilm-l6-go-emotions, fp32.*90\.7 MB/s);
    await page.fill("#text", " ");
    assert.match(await page.textContent("#verdict"), /Write something/);
    assert.equal(await page.textContent("#measure"), "");
  }));

test("an example is one press away, and a text beyond the limit says that it was cut", () =>
  visit(async ({ page, url }) => {
    await page.goto(url);
    await ready(page);
    await page.click("text=I miss her so much.");
    await page.waitForSelector(".chip >> text=sadness");
    await page.fill("#text", "word ".repeat(700));
    await page.waitForFunction(() =>
      document.querySelector("#measure").textContent.includes("512 tokens, cut at 512"),
    );
  }));

test("the second load takes the model from the cache", () =>
  visit(async ({ page, context, server, url }) => {
    await page.goto(url);
    await ready(page);
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
        /Downloading int8: \d+\.\d MB of \d+\.\d MB/.test(document.querySelector("#loading-text").textContent),
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

for (const isolated of [false, true]) {
  test(`${isolated ? "with" : "without"} COOP and COEP it runs in ${isolated ? "threads" : "one thread"}`, () =>
    visit(
      async ({ page, url }) => {
        await page.goto(url);
        await ready(page);
        assert.equal(await page.evaluate(() => crossOriginIsolated), isolated);
        const cores = await page.evaluate(() => navigator.hardwareConcurrency);
        const threads = isolated ? Math.min(4, cores) : 1;
        assert.match(await page.textContent("#facts"), new RegExp(`${threads} threads?`));
        await type(page, TEXT);
        await assertShows(page, "int8", ROW);
      },
      { host: { isolated } },
    ));
}

const broken = (ending, respond) => (asked, response) => {
  if (!asked.endsWith(ending)) return false;
  respond(response);
  return true;
};
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
      assert.match(await failure(page), /too little free memory for int8/);
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
    await page.waitForFunction(() => document.querySelector("#measure").textContent.includes("fp32"));
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
    assert.equal(await page.getByRole("radio").count(), 2);
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
