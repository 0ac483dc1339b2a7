/** Answers as they leave the page: JSON for a program, CSV for a spreadsheet. */
import { write } from "./csv.js";

/** The fewest digits that read back as the same float32. */
export function digits(number) {
  const single = Math.fround(number);
  for (let places = 1; places < 9; places += 1) {
    const found = Number(single.toPrecision(places));
    if (Math.fround(found) === single) return found;
  }
  return Number(single.toPrecision(9));
}

/** The labels that are decided, the surest first. */
export const decidedOf = (labels) =>
  labels.filter(({ decided }) => decided).sort((a, b) => b.probability - a.probability);

const namesOf = ({ labels }) => decidedOf(labels).map(({ label }) => label);

function plain(text, answers) {
  return {
    text,
    tokens: answers[0].ids.length,
    truncated: answers[0].truncated,
    answers: answers.map((answer) => ({
      variant: answer.variant,
      labels: namesOf(answer),
      probabilities: Object.fromEntries(
        answer.labels.map(({ label, probability }) => [label, digits(probability)]),
      ),
    })),
  };
}

/** Texts with their answers, `[{text, answers}]`, as JSON; one without an answer is left out. */
export function json({ name, labels }, found) {
  const answered = found.filter(({ answers }) => answers);
  const thresholds = Object.fromEntries(labels.map(({ label, threshold }) => [label, threshold]));
  const texts = answered.map(({ text, answers }) => plain(text, answers));
  return JSON.stringify({ model: name, thresholds, texts }, null, 2);
}

/** A name that is not among `taken`, which it joins. */
function free(name, taken) {
  let found = name;
  for (let turn = 2; taken.has(found); turn += 1) found = `${name}_${turn}`;
  taken.add(found);
  return found;
}

/**
 * A table with its answers as CSV: its own columns, then labels, whether a text was cut, and every probability.
 *
 * `columns` are names, `rows` `[{fields, answers}]`, `variants` those that answered: a column each where there are several.
 */
export function csv({ labels }, variants, columns, rows) {
  const taken = new Set(columns);
  const of = (name, variant) => free(variants.length > 1 ? `${name}_${variant}` : name, taken);
  const head = [...columns, ...variants.map((variant) => of("labels", variant)), free("truncated", taken)];
  for (const variant of variants) head.push(...labels.map(({ label }) => of(label, variant)));
  const body = rows.map(({ fields, answers }) => {
    if (!answers) return [...fields, ...Array(head.length - fields.length).fill(null)];
    const probabilities = answers.flatMap((answer) =>
      answer.labels.map(({ probability }) => digits(probability)),
    );
    return [
      ...fields,
      ...answers.map((answer) => namesOf(answer).join("|")),
      answers[0].truncated,
      ...probabilities,
    ];
  });
  return write([head, ...body]);
}
