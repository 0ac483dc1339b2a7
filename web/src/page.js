/** The page: what is typed goes to the worker, what it answers is shown. */
import { facts, megabytes, milliseconds } from "./about.js";
import { bars, decidedOf } from "./bars.js";
import { unfit } from "./unfit.js";
import { announce, element, made, onlyOne, verdict } from "./view.js";

const state = { variant: null, ready: null, manifest: null, show: null, asking: false };
let worker;

function fail(text, runs = null) {
  element("failure-text").textContent = text;
  element("failure").hidden = false;
  element("loading").hidden = true;
  element("retry").hidden = !worker;
  state.asking = false;
  if (!runs) state.ready = null;
  choose(runs ?? state.variant);
  if (!state.ready) verdict("The model is not running.");
}

/** Ask for what stands in the field; while an answer is on its way, only the latest text waits. */
function ask() {
  const text = element("text").value;
  if (!state.ready || state.asking) return;
  if (!text.trim()) return clear();
  state.asking = true;
  worker.postMessage({ type: "ask", text });
}

function clear() {
  document.body.classList.add("idle");
  const examples = document.querySelector(".examples button");
  verdict(`Write something${examples ? ", or take an example" : ""}.`);
  element("measure").textContent = "";
  announce("");
}

function answered({ text, ids, truncated, labels, ms, variant }) {
  state.asking = false;
  const now = element("text").value;
  if (now.trim()) {
    document.body.classList.remove("idle");
    state.show(labels);
    const decided = decidedOf(labels);
    verdict("No label reaches its threshold.", decided);
    const cut = truncated ? ", cut there" : "";
    element("measure").textContent = `${ids.length} tokens${cut} · ${milliseconds(ms)} · ${variant}`;
    announce(decided.length ? decided.map(({ label }) => label).join(", ") : "no label");
  }
  if (now !== text) ask();
}

function choices(manifest) {
  const fieldset = element("choices");
  if (fieldset.children.length) return;
  const listed = manifest.variants.map(({ name, file }) => ({ name, bytes: manifest.files[file].size }));
  for (const { name, bytes } of listed.toSorted((a, b) => a.bytes - b.bytes)) {
    const radio = made("input", { type: "radio", name: "variant", value: name });
    const size = made("small", { textContent: megabytes(bytes) });
    const label = made("label", {});
    label.append(radio, made("span", { textContent: name }), size);
    radio.addEventListener("change", () => load(name));
    fieldset.append(label);
  }
}

function load(variant) {
  state.variant = variant;
  element("failure").hidden = true;
  element("loading").hidden = false;
  element("progress").removeAttribute("value");
  element("loading-text").textContent = `Loading ${variant ?? "the model"}`;
  worker.postMessage({ type: "load", variant });
}

function choose(variant) {
  for (const radio of document.querySelectorAll("#choices input")) radio.checked = radio.value === variant;
}

function about({ variant, manifest, keeps, threads }) {
  Object.assign(state, { variant, manifest, keeps, threads });
  choices(manifest);
  choose(variant);
  const { recipe, head } = manifest;
  const labels = recipe.labels.names.map((label) => ({ label, threshold: head.thresholds[label] }));
  const singleLabel = head.problem_type === "single_label_classification";
  if (singleLabel) onlyOne(labels);
  state.show ??= bars(element("bars"), labels, singleLabel);
  element("variants").disabled = false;
}

function progress({ variant, loaded, total, cached }) {
  const bar = element("progress");
  bar.max = total;
  bar.value = loaded;
  const from = cached ? "Opening" : "Downloading";
  element("loading-text").textContent =
    loaded === total
      ? `Starting ${variant}`
      : `${from} ${variant}: ${megabytes(loaded)} of ${megabytes(total)}`;
}

function ready(message) {
  state.ready = message;
  element("loading").hidden = true;
  const list = facts(state.manifest, message.variant, state).flatMap(([term, text]) => [
    made("dt", { textContent: term }),
    made("dd", { textContent: text }),
  ]);
  element("facts").replaceChildren(...list);
  element("about").hidden = false;
  announce(`${message.variant} is ready`);
  state.asking = false;
  if (element("text").value.trim()) ask();
  else clear();
}

function start() {
  const reason = unfit();
  if (reason) return fail(reason);
  worker = new Worker("worker.js", { type: "module" });
  const heard = { about, progress, ready, answer: answered, failure: ({ text, runs }) => fail(text, runs) };
  worker.onmessage = ({ data }) => heard[data.type](data);
  worker.onerror = (event) => {
    fail(`The page's program could not be started: ${event.message ?? "worker.js is missing or blocked"}.`);
  };
  load(null);
}

element("text").addEventListener("input", ask);
element("retry").addEventListener("click", () => load(state.variant));
for (const button of document.querySelectorAll(".examples button")) {
  button.addEventListener("click", () => {
    element("text").value = button.textContent;
    ask();
  });
}
start();
