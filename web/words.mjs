/** The page's words about the model, as HTML: all of it stands there before any program runs. */
import { megabytes, parts, short } from "./variants.mjs";

export const escaped = (text) =>
  text.replace(/[&<>"']/g, (character) => `&#${character.codePointAt(0)};`).replaceAll("\0", "\ufffd");

function row({ label, threshold }) {
  const name = escaped(label);
  const mark = `<span class="mark"></span><span class="threshold" aria-hidden="true">threshold ${short(threshold)}</span>`;
  return `<li class="row"><span class="name" aria-hidden="true">${name}</span
              ><span class="track" role="meter" tabindex="-1" aria-label="${name}" aria-valuemin="0" aria-valuemax="1" aria-valuenow="0"
                ><span class="bar"></span><span class="bar second"></span>${threshold > 0 ? mark : ""}</span
              ><span class="value" aria-hidden="true"></span></li>`;
}

function choice({ value, word, bytes }, chosen) {
  const checked = value === chosen ? " checked" : "";
  return `<label><input type="radio" name="variant" value="${escaped(value)}"${checked} /><span>${escaped(word)}</span>
                <small>${megabytes(bytes)}</small></label>`;
}

const fact = ([term, text]) => `<dt>${escaped(term)}</dt><dd>${escaped(text)}</dd>`;
const link = (href, text) => `<a href="${escaped(href)}">${escaped(text)}</a>`;

function links({ pages, licence }) {
  const found = pages.map(({ href, text }) => link(href, text));
  if (licence) {
    const name = licence.url ? link(licence.url, licence.name) : escaped(licence.name);
    found.push(`<span>Licence: ${name}</span>`);
  }
  return found;
}

/** What the bars mean; without thresholds there are no marks. */
function legend({ labels, singleLabel }) {
  const mark = labels.some(({ threshold }) => threshold > 0);
  const text = singleLabel
    ? `The longest bar is named${mark ? ", unless it is short of its mark" : ""}.`
    : "A label is named when its bar reaches the mark.";
  return `${mark ? '<span class="mark" aria-hidden="true"></span>' : ""}<span>${text}</span>`;
}

/** Put a described model into the page; `pages` are those beside it, `[{href, text}]`. */
export function filled(page, model, pages = []) {
  const { title, description, examples, labels, choices, facts } = model;
  const chosen = choices.find(({ value }) => value === "int8") ?? choices[0];
  // Of the whole, what the program needs; a "<" could end its element.
  const { name, singleLabel, download } = model;
  const told = JSON.stringify({ name, singleLabel, labels, choices, download });
  const words = {
    title: escaped(title),
    description: escaped(description),
    examples: examples
      .map((text) => `<button type="button">${escaped(text)}</button>`)
      .join("\n            "),
    rows: labels.map(row).join("\n            "),
    choices: choices.map((each) => choice(each, chosen.value)).join("\n              "),
    says: escaped(chosen.says),
    parts: parts(chosen, download),
    facts: facts.map(fact).join("\n              "),
    links: links({ ...model, pages }).join("\n        "),
    legend: legend(model),
    model: `<script type="application/json" id="model">${told.replaceAll("<", "\\u003c")}</script>`,
  };
  const whole = page.replace(/\{\{(\w+)\}\}/g, (_, key) => words[key]);
  // An empty group of examples would be read out all the same.
  return examples.length ? whole : whole.replace(/\s*<fieldset class="examples">.*?<\/fieldset>/s, "");
}
