/** The page's words: the verdict, and what a screen reader is told. */

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

/** Say what the bars mean where a text has one label; without thresholds there are no marks. */
export function onlyOne(labels) {
  const marked = labels.some(({ threshold }) => threshold > 0);
  const legend = element("legend");
  legend.textContent = `The longest bar is named${marked ? ", unless it is short of its mark" : ""}.`;
  legend.previousElementSibling.hidden = !marked;
}

/** Show the decided labels, or `sentence` where there are none. */
export function verdict(sentence, chips = []) {
  const shown = chips.map(({ label, probability }) => {
    const chip = made("span", { className: "chip", textContent: label });
    chip.append(made("small", { textContent: ` ${probability.toFixed(2)}` }));
    return chip;
  });
  const none = made("span", { className: "none", textContent: sentence });
  element("verdict").replaceChildren(...(chips.length ? shown : [none]));
}
