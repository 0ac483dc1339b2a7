/** Many texts: a table that fills as they are labelled, to download or to copy. */
import { word } from "../variants.mjs";
import { csv, json } from "./answers.js";
import { announce, chips, element, made, named } from "./view.js";

// More rows than a person reads; the download has all.
const MOST_SHOWN = 200;
const count = (number) => number.toLocaleString("en");

/** The view of many texts for `model`, as the page has it; `ask` is the worker's. */
export function many(model, ask) {
  /** Answers by variants and text, so that a change of one line asks for one. */
  const kept = new Map();
  let job = null;

  async function answerTo(text, variants) {
    const key = JSON.stringify([variants, text]);
    if (kept.has(key)) return kept.get(key);
    const answers = await ask(text);
    if (!answers) return null;
    if (kept.size >= 2 * job.rows.length) kept.clear();
    kept.set(key, answers);
    return answers;
  }

  function cells({ fields, answers }, place) {
    const found = made("td", {});
    found.append(...chips(answers ? named(answers) : [], answers ? "no label" : ""));
    return [made("td", { textContent: fields[place].slice(0, 300) }), found];
  }

  function tell(words) {
    const { done, rows, left, running } = job;
    const more = left ? ` The ${count(left)} beyond are left out: a page takes ${count(rows.length)}.` : "";
    const shown = rows.length > MOST_SHOWN ? ` ${MOST_SHOWN} are shown, the download has all.` : "";
    element("many-text").textContent =
      `${words ?? `${count(done)} of ${count(rows.length)} texts`}.${more}${shown}`;
    element("many-progress").max = rows.length || 1;
    element("many-progress").value = done;
    element("stop").textContent = running ? "Stop" : "Go on";
    element("stop").hidden = done === rows.length;
    for (const name of ["download", "copy"]) element(name).disabled = running || done === 0;
  }

  async function label(mine) {
    for (const row of mine.rows) {
      const text = row.fields[mine.place];
      row.answers = text.trim() ? await answerTo(text, mine.variants) : null;
      if (job !== mine || !mine.running) return;
      // The model was exchanged: it begins anew when the other is ready.
      if (text.trim() && !row.answers) return;
      mine.done += 1;
      if (row.item) row.item.replaceChildren(...cells(row, mine.place));
      tell();
    }
    mine.running = false;
    tell(`${count(mine.done)} texts labelled`);
    announce(`${count(mine.done)} texts labelled`);
  }

  /** Label a list or a table, as `reading` gives it, by these variants. */
  function start(texts, variants) {
    const { columns, rows, place } = texts;
    job = { ...texts, variants, done: 0, running: true, again: () => start(texts, variants) };
    job.rows = rows.map((fields) => ({ fields, answers: null }));
    const head = [columns[place], variants.length > 1 ? "labels" : `labels, ${word(variants[0])}`];
    element("table-head").replaceChildren(
      ...head.map((textContent) => made("th", { textContent, scope: "col" })),
    );
    for (const row of job.rows.slice(0, MOST_SHOWN)) {
      row.item = made("tr", {});
      row.item.append(...cells(row, place));
    }
    // What scrolls can be reached with the keys.
    element("table").tabIndex = 0;
    element("table-body").replaceChildren(...job.rows.flatMap(({ item }) => item ?? []));
    tell();
    label(job);
  }

  /** Stop, or go on; what was labelled is kept. */
  function stop() {
    if (!job.running) return job.again();
    job.running = false;
    tell(`Stopped after ${count(job.done)} of ${count(job.rows.length)} texts`);
  }

  /** Work no further: another view is shown. */
  function leave() {
    if (job) job.running = false;
  }

  const answered = () => job.rows.slice(0, job.done);
  return {
    start,
    stop,
    leave,
    csv: () => csv(model, job.variants, job.columns, answered()),
    json: () =>
      json(
        model,
        answered().map(({ fields, answers }) => ({ text: fields[job.place], answers })),
      ),
  };
}
