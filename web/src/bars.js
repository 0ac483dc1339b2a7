/** The list of labels: one row each, a bar for each answer's probability, and a mark at the threshold, if any. */
import { short, word } from "../variants.mjs";

// What "threshold 0.2" takes beside its mark; on a narrow track it covers the mark.
const SAID_WIDTH = "6.75rem";
const percent = (share) => `${(100 * share).toFixed(2)}%`;
const places = (probability) => probability.toFixed(2);

/** What a row says: of a single-label model the highest is chosen, and not below its threshold. */
function said(found, threshold, singleLabel) {
  const [yes, no] = singleLabel ? ["chosen", "not chosen"] : ["reaches", "below"];
  const end = singleLabel ? "" : ` its threshold of ${short(threshold)}`;
  return found
    .map(({ variant, probability, decided }) => {
      const who = found.length > 1 ? `${word(variant)} ` : "";
      return `${who}${places(probability)}, ${decided ? yes : no}${end}`;
    })
    .join("; ");
}

function part(item, selector) {
  return item.querySelector(selector);
}

/** Show in a row what each of the variants found for its label. */
function show({ item, threshold }, found, singleLabel) {
  const decided = found.map((each) => each.decided);
  item.classList.toggle("decided", decided.includes(true));
  item.classList.toggle("differs", decided.includes(true) && decided.includes(false));
  const values = found.map(({ probability, decided }) => {
    const text = document.createElement(decided ? "b" : "span");
    text.textContent = places(probability);
    return text;
  });
  part(item, ".value").replaceChildren(...values);
  const bars = item.querySelectorAll(".bar");
  for (const [place, bar] of bars.entries()) {
    bar.style.width = percent(found[place]?.probability ?? 0);
    bar.classList.toggle("yes", found[place]?.decided ?? false);
  }
  const track = part(item, ".track");
  track.setAttribute("aria-valuenow", found[0].probability.toFixed(3));
  track.setAttribute("aria-valuetext", said(found, threshold, singleLabel));
}

/** One row at a time is in the order of the Tab key; arrows, Home and End go to the others. */
function move(list) {
  const steps = { ArrowDown: (at) => at + 1, ArrowUp: (at) => at - 1, Home: () => 0, End: () => -1 };
  list.addEventListener("keydown", (event) => {
    const tracks = [...list.querySelectorAll(".track")];
    if (event.key === "Escape") list.classList.add("quiet");
    if (!Object.hasOwn(steps, event.key)) return;
    event.preventDefault();
    tracks.at(steps[event.key](tracks.indexOf(event.target)) % tracks.length).focus();
  });
  list.addEventListener("pointerover", () => list.classList.remove("quiet"));
  list.addEventListener("focusin", (event) => {
    list.classList.remove("quiet");
    for (const track of list.querySelectorAll("[tabindex='0']")) track.tabIndex = -1;
    event.target.tabIndex = 0;
  });
  // A tap anywhere on a row tells its threshold.
  list.addEventListener("click", (event) => event.target.closest(".row")?.querySelector(".track").focus());
}

/**
 * Take over the page's rows of `labels`, `[{label, threshold}]`.
 *
 * `show(answers)` shows one or two variants' answers; `order(byProbability)` sorts, now and from then on.
 */
export function bars(list, labels, singleLabel) {
  const rows = [...list.children].map((item, place) => ({ item, ...labels[place], place, highest: 0 }));
  for (const { item, threshold } of rows) {
    const mark = part(item, ".mark");
    if (!mark) continue;
    mark.style.left = percent(threshold);
    const [side, share] = threshold > 0.5 ? ["right", 1 - threshold] : ["left", threshold];
    part(item, ".threshold").style[side] = `min(${percent(share)}, calc(100% - ${SAID_WIDTH}))`;
  }
  let byProbability = true;

  function sort() {
    const sorted = byProbability ? rows.toSorted((a, b) => b.highest - a.highest || a.place - b.place) : rows;
    const items = sorted.map(({ item }) => item);
    if (items.every((item, place) => item === list.children[place])) return;
    const { activeElement } = document;
    const inside = list.contains(activeElement);
    list.append(...items);
    if (inside) activeElement.focus();
    else first();
  }

  function first() {
    for (const track of list.querySelectorAll(".track")) track.tabIndex = -1;
    list.querySelector(".track").tabIndex = 0;
  }

  move(list);
  first();
  return {
    show(answers) {
      list.classList.toggle("two", answers.length > 1);
      for (const [column, row] of rows.entries()) {
        const found = answers.map(({ variant, labels }) => ({ variant, ...labels[column] }));
        row.highest = Math.max(...found.map(({ probability }) => probability));
        show(row, found, singleLabel);
      }
      sort();
    },
    order(probability) {
      byProbability = probability;
      sort();
    },
  };
}
