/** What Python said of the texts (tests/js/expected.py), and how far other answers are from it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";

export const ROOT = path.resolve(import.meta.dirname, "../..");
export const ARTIFACT = path.resolve(ROOT, process.env.ARTIFACT ?? "dist/minilm-l6-go-emotions");
export const EXPECTED_FILE = path.resolve(
  ROOT,
  process.env.EXPECTED ?? "build/minilm-l6-go-emotions/js/expected.json",
);
export const expected = JSON.parse(readFileSync(EXPECTED_FILE, "utf-8"));
export const MAX_LENGTH = Math.max(...expected.ids.map((ids) => ids.length));

/** What a pipeline of transformers.js is told to load. */
export const LOADED = {
  fp32: { dtype: "fp32" },
  int8: { dtype: "q8" },
  guarded: { dtype: "fp32", model_file_name: "model_guarded" },
};

/** Says which texts are compared; fails where the data set is there and its texts are not among them. */
export function describe(t) {
  const { reference, hostile, go_emotions = 0 } = expected.groups;
  t.diagnostic(`${reference} texts of the reference, ${hostile} hostile, ${go_emotions} of GoEmotions test`);
  if (process.env.GO_EMOTIONS_DIR) assert.equal(go_emotions, 500);
  else if (!go_emotions) t.diagnostic("GO_EMOTIONS_DIR is not set: nothing of GoEmotions is compared");
}

/** Compare `[{probability, decided}]` a text; `skip` holds indices of texts that are left out. */
export function difference(variant, answers, skip = new Set()) {
  const { probabilities, decisions } = expected.variants[variant];
  const found = { texts: 0, maxError: 0, flipped: [] };
  answers.forEach((labels, row) => {
    if (skip.has(row)) return;
    found.texts += 1;
    let flipped = false;
    labels.forEach(({ probability, decided }, column) => {
      const error = Math.abs(probability - probabilities[row][column]);
      // What is not a number is the worst of all.
      found.maxError = Math.max(found.maxError, Number.isNaN(error) ? Number.POSITIVE_INFINITY : error);
      flipped ||= decided !== Boolean(decisions[row][column]);
    });
    if (flipped) found.flipped.push(row);
  });
  return found;
}

/** One line for a test's report. */
export function sentence(runtime, variant, { texts, maxError, flipped }) {
  const share = ((100 * (texts - flipped.length)) / texts).toFixed(2);
  return (
    `${runtime}, ${variant}: max |Δp| ${maxError.toExponential(1)}, ` +
    `decisions equal for ${texts - flipped.length} of ${texts} texts (${share} %)`
  );
}

/** The answers of a transformers.js pipeline, in the artifact's order of labels. */
export function fromPipeline(scores) {
  const probability = new Map(scores.map(({ label, score }) => [label, score]));
  return expected.labels.map((label) => ({
    probability: probability.get(label),
    // The graph compares in float32.
    decided: probability.get(label) >= Math.fround(expected.thresholds[label]),
  }));
}
