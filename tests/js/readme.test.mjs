/** The documents' JavaScript runs as it stands, on the embedded default; so does the model card's. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

const ROOT = path.resolve(import.meta.dirname, "../..");
const RUNTIMES = readFileSync(path.join(ROOT, "docs/runtimes.md"), "utf-8");

const ARTIFACT = path.resolve(process.env.ARTIFACT ?? path.join(ROOT, "dist/minilm-l6-go-emotions"));
const run = promisify(execFile);

test("the model card's program gives thanks as gratitude", async () => {
  const card = readFileSync(path.join(ARTIFACT, "README.md"), "utf-8");
  const program = card.split("\n### JavaScript\n")[1].split("```js\n")[1].split("```")[0];
  const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", program], {
    cwd: ARTIFACT,
  });
  // What it prints is what its last lines say, as comments.
  const said = [...program.matchAll(/^\/\/ (.*)$/gm)].map((found) => found[1]);
  assert.match(said[0], /^gratitude \d\.\d\d$/);
  assert.deepEqual(stdout.trimEnd().split("\n"), said);
});

for (const heading of ["## JavaScript", "### transformers.js"]) {
  const section = RUNTIMES.split(`\n${heading}\n`)[1].split("\n#")[0];
  const program = section.split("```js\n")[1].split("```")[0];

  test(`the program under ${heading} has at most ten lines and names love`, async () => {
    assert.ok(program.trimEnd().split("\n").length <= 10);
    const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", program], { cwd: ROOT });
    assert.match(stdout.split("]")[0], /love/);
  });
}
