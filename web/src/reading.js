/** How the field's text is read: as one text, as one a line, or as a table of which a column holds the texts. */
import { hasNames, tableOf, textColumn } from "./csv.js";
import { element, made } from "./view.js";

const MOST_CHARACTERS = 1_000_000;
const MOST_IN_ONE = 100_000;
export const KINDS = ["one", "lines", "table"];

const count = (number) => number.toLocaleString("en");
const linesOf = (text) => text.split(/\r\n|[\n\r]/).filter((line) => line.trim());
const radio = (kind) => document.querySelector(`[name="reading"][value="${kind}"]`);

let lines = [];
let table = null;

/** How it is read: one of `KINDS`. */
export const kind = () => KINDS.find((each) => radio(each).checked);

function offerColumns() {
  const [first] = table.rows;
  const named = element("has-names").checked;
  const name = (column) => (named && first[column].trim().slice(0, 40)) || `column ${column + 1}`;
  const options = first.map((_, column) => made("option", { value: column, textContent: name(column) }));
  const { value } = element("column");
  element("column").replaceChildren(...options);
  element("column").value = value && value < first.length ? value : textColumn(table.rows, named);
}

function chooseKind(wanted) {
  const possible = lines.length > 1 && (wanted !== "table" || table) ? wanted : "one";
  radio(possible).checked = true;
  element("table-options").hidden = possible !== "table";
}

/**
 * Look at the text that the field has now.
 *
 * `wanted` is how it shall be read, where it can; "best" chooses, "same" leaves it as it is.
 */
export function look(text, wanted) {
  lines = text.length > MOST_CHARACTERS ? [] : linesOf(text);
  table = lines.length > 1 ? tableOf(text) : null;
  element("reading").hidden = lines.length < 2;
  element("lines-text").textContent = `${count(lines.length)} texts, one a line`;
  element("table-text").textContent = table ? `a table of ${count(table.rows.length)} rows` : "a table";
  radio("table").disabled = !table;
  if (table && (wanted !== "same" || !element("column").options.length)) {
    element("has-names").checked = hasNames(table.rows);
    element("column").replaceChildren();
  }
  if (table) offerColumns();
  const best = table?.sure ? "table" : "lines";
  chooseKind(wanted === "best" ? best : wanted === "same" ? kind() : wanted);
}

/** Hear of every other choice of how it is read. */
export function onChoice(changed) {
  for (const each of KINDS) {
    radio(each).addEventListener("change", () => {
      chooseKind(each);
      changed();
    });
  }
  element("has-names").addEventListener("change", () => {
    offerColumns();
    changed();
  });
  element("column").addEventListener("change", changed);
}

/** Why the text cannot be read at all, or null. */
export function refusal(text) {
  if (text.length > MOST_CHARACTERS)
    return `Found ${count(text.length)} characters: this page takes ${count(MOST_CHARACTERS)} at most.`;
  if (kind() === "one" && text.length > MOST_IN_ONE)
    return `Found ${count(text.length)} characters: one text may have ${count(MOST_IN_ONE)}.`;
  return null;
}

/** At most `most` texts of a list or a table: `{columns, rows, place, left}`, `place` the texts' column, `left` the rest. */
export function many(most) {
  let columns = ["text"];
  let rows = lines.map((line) => [line]);
  let place = 0;
  if (kind() === "table") {
    const named = element("has-names").checked;
    columns = table.rows[0].map((name, column) => (named && name.trim()) || `column_${column + 1}`);
    rows = table.rows.slice(named ? 1 : 0);
    place = Number(element("column").value);
  }
  return { columns, rows: rows.slice(0, most), place, left: Math.max(0, rows.length - most) };
}
