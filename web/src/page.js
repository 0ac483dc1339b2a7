/** The page: what is typed goes to the worker, what it answers is shown. */
import { facts, megabytes, milliseconds } from "./about.js";
import { bars, decidedOf } from "./bars.js";

const ANNOUNCE_AFTER_MS = 900;
// The least module with a vector instruction: v128.const, then drop.
const SIMD = [0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 10, 23, 1, 21, 0, 253, 12];

const element = (id) => document.getElementById(id);
const state = { variant: null, ready: null, manifest: null, show: null, asking: false, asked: null };
let worker;
let announcing;

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

function announce(text) {
  clearTimeout(announcing);
  announcing = setTimeout(() => {
    if (element("announcer").textContent !== text) element("announcer").textContent = text;
  }, ANNOUNCE_AFTER_MS);
}

function verdict(sentence, chips = []) {
  const made = chips.map(({ label, probability }) => {
    const chip = document.createElement("span");
    chip.className = "chip";
    chip.textContent = label;
    const value = document.createElement("small");
    value.textContent = ` ${probability.toFixed(2)}`;
    chip.append(value);
    return chip;
  });
  if (!chips.length) {
    const none = document.createElement("span");
    none.className = "none";
    none.textContent = sentence;
    made.push(none);
  }
  element("verdict").replaceChildren(...made);
}

/** Ask for what stands in the field; while an answer is on its way, only the latest text waits. */
function ask() {
  const text = element("text").value;
  if (!state.ready || state.asking) return;
  if (!text.trim()) return clear();
  state.asking = true;
  state.asked = text;
  worker.postMessage({ type: "ask", text });
}

function clear() {
  state.asked = "";
  document.body.classList.add("idle");
  verdict("Write something, or take an example.");
  element("measure").textContent = "";
  announce("");
}

function answered({ text, ids, labels, ms, variant }) {
  state.asking = false;
  const now = element("text").value;
  if (now.trim()) {
    document.body.classList.remove("idle");
    state.show(labels);
    const decided = decidedOf(labels);
    verdict("No emotion reaches its threshold.", decided);
    const cut = ids.length === state.ready.limit ? `, cut at ${state.ready.limit}` : "";
    element("measure").textContent = `${ids.length} tokens${cut} · ${milliseconds(ms)} · ${variant}`;
    announce(decided.length ? decided.map(({ label }) => label).join(", ") : "no emotion");
  }
  if (now !== text) ask();
}

function choices(manifest) {
  const fieldset = element("choices");
  if (fieldset.children.length) return;
  for (const { name, file } of manifest.variants.toSorted((a, b) => (a.name > b.name ? -1 : 1))) {
    const label = document.createElement("label");
    const radio = Object.assign(document.createElement("input"), {
      type: "radio",
      name: "variant",
      value: name,
    });
    const size = document.createElement("small");
    size.textContent = megabytes(manifest.files[file].size);
    label.append(radio, Object.assign(document.createElement("span"), { textContent: name }), size);
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
  state.show ??= bars(element("bars"), labels);
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
  const list = facts(state.manifest, message.variant, state).flatMap(([term, text]) => {
    const [name, value] = [document.createElement("dt"), document.createElement("dd")];
    name.textContent = term;
    value.textContent = text;
    return [name, value];
  });
  element("facts").replaceChildren(...list);
  element("about").hidden = false;
  announce(`${message.variant} is ready`);
  state.asking = false;
  if (element("text").value.trim()) ask();
  else clear();
}

function unfit() {
  if (location.protocol === "file:") {
    return "This page must come from a web server. In its folder, run: python3 -m http.server";
  }
  if (typeof WebAssembly !== "object" || !WebAssembly.validate) {
    return "This browser has no WebAssembly, or it is turned off: the model cannot run here.";
  }
  if (!WebAssembly.validate(new Uint8Array([...SIMD, ...Array(16).fill(0), 26, 11]))) {
    return "This browser's WebAssembly has no vector instructions: a newer browser is needed.";
  }
  return null;
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
