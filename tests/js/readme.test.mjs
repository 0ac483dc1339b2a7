/** The README's JavaScript runs as it stands, on the embedded default. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { ROOT } from "./compare.mjs";

const README = readFileSync(path.join(ROOT, "README.md"), "utf-8");
const SECTION = README.split("### JavaScript\n")[1].split("\n## ")[0].split("\n### ")[0];
const PROGRAMS = SECTION.split("```js\n")
  .slice(1)
  .map((rest) => rest.split("```")[0]);

test("there are two programs of at most ten lines", () => {
  assert.equal(PROGRAMS.length, 2);
  for (const program of PROGRAMS) assert.ok(program.trimEnd().split("\n").length <= 10);
});

for (const [number, program] of PROGRAMS.entries()) {
  test(`program ${number + 1} names love`, async () => {
    const run = promisify(execFile);
    const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", program], { cwd: ROOT });
    assert.match(stdout.split("]")[0], /love/);
  });
}
