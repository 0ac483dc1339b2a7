/** The page's words: the verdict, and what a screen reader is told. */
import { word } from "../variants.mjs";
import { decidedOf } from "./answers.js";

const ANNOUNCE_AFTER_MS = 900;
let announcing;

export const element = (id) => document.getElementById(id);

/** A new element; `fields` are properties of it. */
export const made = (tag, fields) => Object.assign(document.createElement(tag), fields);

/** Tell a screen reader, once it stands for a moment. */
export function announce(text) {
  clearTimeout(announcing);
  announcing = setTimeout(() => {
    if (element("announcer").textContent !== text) element("announcer").textContent = text;
  }, ANNOUNCE_AFTER_MS);
}

/** The labels that any variant decides, the surest first: `[{label, probability, only}]`, only by which. */
export function named(answers) {
  const found = new Map();
  for (const { variant, labels } of answers) {
    for (const { label, probability } of decidedOf(labels)) {
      const before = found.get(label);
      if (before) before.only = null;
      else found.set(label, { label, probability, only: answers.length > 1 ? word(variant) : null });
    }
  }
  return [...found.values()].sort((a, b) => b.probability - a.probability);
}

/** Chips of labels as `named` gives them, or `sentence` where there are none. */
export function chips(labels, sentence) {
  if (!labels.length) return [made("span", { className: "none", textContent: sentence })];
  return labels.map(({ label, probability, only }) => {
    const chip = made("span", { className: only ? "chip only" : "chip", textContent: label });
    chip.append(made("small", { textContent: ` ${probability.toFixed(2)}${only ? `, ${only} only` : ""}` }));
    return chip;
  });
}
