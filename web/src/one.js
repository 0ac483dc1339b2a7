/** One text: asked while it is typed, answered by chips and bars. */
import { words } from "../variants.mjs";
import { bars } from "./bars.js";
import { announce, chips, element, made, named } from "./view.js";

const NONE = "No label reaches its threshold.";
const milliseconds = (ms) => (ms < 10 ? ms.toFixed(1) : Math.round(ms));
const list = (labels) => labels.map(({ label }) => label).join(", ");

/** How long it was and took: 12 tokens · 18 ms · small. */
function measured(answers) {
  const [{ ids, truncated }] = answers;
  const took = `${answers.map(({ ms }) => milliseconds(ms)).join(" and ")} ms`;
  return `${ids.length} tokens${truncated ? ", cut there" : ""} · ${took} · ${words(answers.map((each) => each.variant))}`;
}

function announced(labels) {
  if (!labels.length) return "no label";
  return labels.map(({ label, only }) => (only ? `${label}, ${only} only` : label)).join(", ");
}

/** What two variants differ in. */
function compared(answers, labels) {
  const other = labels.filter(({ only }) => only);
  if (other.length) return `They decide otherwise on ${list(other)}.`;
  const pairs = answers[0].labels.map((each, at) =>
    Math.abs(each.probability - answers[1].labels[at].probability),
  );
  return `They decide alike; probabilities differ by ${Math.max(...pairs).toFixed(2)} at most.`;
}

/** Which bar is whose, and what they differ in. */
function pair(answers, labels) {
  const keys = answers.map(({ variant }, place) =>
    made("span", { className: place ? "key second" : "key", textContent: words([variant]) }),
  );
  return [...keys, made("span", { textContent: compared(answers, labels) })];
}

/** The view of one text for `model`, as the page has it; `ask` is the worker's, `answered` hears of each answer. */
export function one(model, ask, answered) {
  const rows = bars(element("bars"), model.labels, model.singleLabel);
  let asking = false;
  /** What is shown: `{text, answers}`. */
  let shown = null;

  function clear(sentence) {
    shown = null;
    document.body.classList.add("idle");
    element("verdict").replaceChildren(...chips([], sentence));
    element("measure").textContent = "";
    element("pair").textContent = "";
    announce("");
  }

  function show(text, answers) {
    shown = { text, answers };
    const labels = named(answers);
    document.body.classList.remove("idle");
    rows.show(answers);
    element("verdict").replaceChildren(...chips(labels, NONE));
    element("measure").textContent = measured(answers);
    element("pair").hidden = answers.length < 2;
    if (answers.length > 1) element("pair").replaceChildren(...pair(answers, labels));
    announce(announced(labels));
    answered();
  }

  /** Ask for what `read()` gives; while an answer is on its way, only the latest text waits. */
  async function update(read) {
    if (asking) return;
    const text = read();
    if (text === null) return;
    asking = true;
    const answers = await ask(text);
    asking = false;
    const now = read();
    if (now !== null && answers) show(text, answers);
    if (now !== text) update(read);
  }

  return { clear, update, order: rows.order, shown: () => shown };
}
