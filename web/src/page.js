/** The page: what is typed or pasted goes to the worker, what it answers is shown. */
import { megabytes, parts, words } from "../variants.mjs";
import { json } from "./answers.js";
import { many } from "./many.js";
import { connect } from "./model.js";
import { one } from "./one.js";
import * as reading from "./reading.js";
import { copy, download, fitsLink, fromLink, linkTo } from "./share.js";
import { unfit } from "./unfit.js";
import { announce, chips, element } from "./view.js";

const LABEL_AFTER_MS = 400;
const model = JSON.parse(element("model").textContent);
// Of a model of thousands of labels fewer: all answers are in memory until they are downloaded.
const MOST_TEXTS = Math.min(5_000, Math.ceil(1_000_000 / model.labels.length));
const field = element("text");
const radios = [...document.querySelectorAll("#choices input")];
const choiceOf = (variants) => model.choices.find((choice) => choice.variants.join() === variants.join());
const chosen = () => model.choices.find(({ value }) => radios.find(({ checked }) => checked).value === value);

/** The variants that answer; none while they load. */
let ready = [];
/** The worker, and the views of one text and of many; null where the page cannot run. */
let worker = null;
let single;
let table;
let waiting;

function failed({ text, runs }) {
  element("failure-text").textContent = text;
  element("failure").hidden = false;
  element("retry").hidden = worker === null;
  element("loading").hidden = true;
  ready = runs;
  if (runs.length) choose(choiceOf(runs));
  else element("verdict").replaceChildren(...chips([], "The model is not running."));
}

/** What is wrong with a text, or nothing. */
function problem(words) {
  element("problem").textContent = words ?? "";
  element("problem").hidden = !words;
}

/** What is to be asked as one text, or null. */
const asked = () => {
  const { value } = field;
  return ready.length && reading.kind() === "one" && value.trim() && !reading.refusal(value) ? value : null;
};

/** Answer what the field holds. */
function answer() {
  const refused = reading.refusal(field.value);
  const isMany = !refused && reading.kind() !== "one";
  element("one").hidden = isMany;
  element("many").hidden = !isMany;
  element("download").hidden = !isMany;
  element("share").disabled = !fitsLink(field.value);
  clearTimeout(waiting);
  if (!ready.length) return;
  if (!isMany) table.leave();
  element("copy").disabled = isMany || !single.shown();
  if (refused || !field.value.trim()) {
    element("copy").disabled = true;
    const example = document.querySelector(".examples") ? ", or take an example" : "";
    return single.clear(refused ? "Nothing was read." : `Write something${example}.`);
  }
  if (!isMany) return single.update(asked);
  waiting = setTimeout(() => table.start(reading.many(MOST_TEXTS), ready), LABEL_AFTER_MS);
}

function changed() {
  problem(reading.refusal(field.value));
  answer();
}

function typed(wanted) {
  reading.look(field.value, wanted);
  changed();
}

/** Put a text into the field, read as one, or as told. */
function put(text, kind = "one") {
  field.value = text;
  typed(kind);
}

function choose(choice) {
  for (const radio of radios) radio.checked = radio.value === choice.value;
  element("says").textContent = choice.says;
  element("parts").textContent = parts(choice, model.download);
}

function load(choice) {
  choose(choice);
  element("failure").hidden = true;
  element("loading").hidden = false;
  element("progress").removeAttribute("value");
  element("loading-text").textContent = `Loading ${words(choice.variants)}`;
  worker.load(choice.variants);
}

function about({ manifest, keeps, threads }) {
  // A host may have the page of one build and the model of another.
  const labels = model.labels.map(({ label }) => label);
  if (JSON.stringify(manifest.recipe?.labels?.names) !== JSON.stringify(labels)) {
    worker.stop();
    worker = null;
    return failed({ text: "The model on the server is not this page's: load the page again.", runs: [] });
  }
  element("runs-in").textContent = `WebAssembly, ${threads} ${threads === 1 ? "thread" : "threads"}`;
  element("kept").textContent = keeps
    ? "kept by this browser for the next visit"
    : "not kept: the page is not secure (https)";
}

function progress({ variants, loaded, total, cached }) {
  const name = words(variants);
  element("progress").max = total;
  element("progress").value = loaded;
  const doing = `${cached ? "Opening" : "Downloading"} ${name}: ${megabytes(loaded)} of ${megabytes(total)}`;
  element("loading-text").textContent = loaded < total ? doing : `Starting ${name}`;
}

function started({ variants, ms, cached }) {
  ready = variants;
  element("loading").hidden = true;
  element("loaded").textContent =
    `from ${cached ? "this browser's cache" : "the server"}, in ${(ms / 1000).toFixed(1)} s`;
  announce(`${words(variants)} ready`);
  answer();
}

function start() {
  const reason = unfit();
  if (reason) return failed({ text: reason, runs: [] });
  worker = connect({ about, progress, ready: started, failure: failed });
  single = one(model, worker.ask, () => {
    element("copy").disabled = false;
  });
  table = many(model, worker.ask);
  load(chosen());
}

function link() {
  const found = fromLink();
  if (!found) return;
  if (found.problem) return problem(found.problem);
  put(found.text, found.kind);
}

field.addEventListener("input", ({ inputType }) => {
  const pasted = inputType === "insertFromPaste" || inputType === "insertFromDrop";
  typed(pasted ? "best" : "same");
});
reading.onChoice(changed);
element("retry").addEventListener("click", () => load(chosen()));
element("order").addEventListener("change", ({ target }) => single?.order(target.value === "probability"));
element("stop").addEventListener("click", () => table.stop());
element("copy").addEventListener("click", ({ target }) => {
  copy(target, reading.kind() === "one" ? json(model, [single.shown()]) : table.json());
});
element("download").addEventListener("click", () => download(`${model.name}.csv`, "text/csv", table.csv()));
element("share").addEventListener("click", ({ target }) => copy(target, linkTo(field.value, reading.kind())));
for (const radio of radios) radio.addEventListener("change", () => load(chosen()));
for (const button of document.querySelectorAll(".examples button")) {
  button.addEventListener("click", () => put(button.textContent));
}
addEventListener("hashchange", link);
start();
link();
