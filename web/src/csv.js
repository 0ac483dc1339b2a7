/** Tables as text: CSV as spreadsheets write and read it (RFC 4180), with commas, semicolons or tabs. */

const DELIMITERS = ["\t", ",", ";"];
const TEXTS =
  /^(texts?|comments?|sentences?|messages?|reviews?|posts?|questions?|body|content|utterance|document)$/i;
const NAMES = /^(id|labels?|date|title|author|name|category|score|rating)$/i;
const NUMBER = /^[+-]?(\d+([.,]\d*)?|[.,]\d+)(e[+-]?\d+)?%?$/i;

const isText = (name) => TEXTS.test(name.trim());
const isNumber = (field) => field.length <= 40 && NUMBER.test(field.trim());

/** Rows of fields, and whether any field was quoted; null where a quote does not end. */
export function parse(text, delimiter) {
  const rows = [];
  let row = [];
  let quoted = false;
  let at = 0;
  const end = text.length;
  while (at < end) {
    let field = "";
    if (text[at] === '"') {
      quoted = true;
      for (;;) {
        const close = text.indexOf('"', at + 1);
        if (close < 0) return null;
        field += text.slice(at + 1, close);
        at = close + 1;
        if (text[at] !== '"') break;
        // Two quotes in a quoted field are one.
        field += '"';
      }
    }
    let stop = at;
    while (stop < end && text[stop] !== delimiter && text[stop] !== "\n" && text[stop] !== "\r") stop += 1;
    row.push(field + text.slice(at, stop));
    at = stop + 1;
    if (text[stop] === delimiter) {
      if (at === end) row.push("");
      continue;
    }
    if (text[stop] === "\r" && text[at] === "\n") at += 1;
    // A line without anything is none, not a row of one empty field.
    if (row.length > 1 || row[0] !== "") rows.push(row);
    row = [];
  }
  if (row.length) rows.push(row);
  return { rows, quoted };
}

/** Whether the first row names the columns: a known name is in it, or a word above numbers. */
export function hasNames(rows) {
  const [first, ...rest] = rows;
  if (rest.length === 0 || first.some((name) => name === "" || isNumber(name))) return false;
  if (first.some((name) => isText(name) || NAMES.test(name.trim()))) return true;
  return first.some((_, column) => rest.every((row) => isNumber(row[column])));
}

/** The column that holds texts: named so, or the one with most characters. */
export function textColumn(rows, named) {
  const [first] = rows;
  const called = named ? first.findIndex(isText) : -1;
  if (called >= 0) return called;
  const length = (column) => rows.reduce((sum, row) => sum + row[column].length, 0);
  const lengths = first.map((_, column) => length(column));
  return lengths.indexOf(Math.max(...lengths));
}

/**
 * The table that a text may be, or null: at least two rows, all of as many fields.
 *
 * `{rows, sure}`; `sure` where prose does not look so: tabs, quotes, named columns or one of numbers.
 */
export function tableOf(text) {
  const found = DELIMITERS.flatMap((delimiter) => {
    const parsed = parse(text, delimiter);
    if (!parsed || parsed.rows.length < 2) return [];
    const { rows, quoted } = parsed;
    const width = rows[0].length;
    if (rows.some((row) => row.length !== width)) return [];
    const named = hasNames(rows);
    if (width === 1) return quoted || named ? [{ rows, sure: true, width }] : [];
    const numbers = rows[0].some((_, column) => rows.every((row) => isNumber(row[column])));
    return [{ rows, sure: delimiter === "\t" || quoted || named || numbers, width }];
  });
  const [best] = found.sort((a, b) => b.sure - a.sure || b.width - a.width);
  return best ? { rows: best.rows, sure: best.sure } : null;
}

// What a spreadsheet takes for a formula when it opens a CSV, after any space.
const FORMULA = /^[\s\p{Cf}]*[=+\-@＝＋－＠]|^[\t\r\n]/u;

/** A field that stays text in a spreadsheet: one that would be a formula begins with an apostrophe. */
export function safe(field) {
  return FORMULA.test(field) && !isNumber(field) ? `'${field}` : field;
}

/** Rows as CSV with CRLF; texts are quoted, numbers and truth values are not. */
export function write(rows) {
  const text = (field) => `"${safe(field).replaceAll('"', '""')}"`;
  const lines = rows.map((row) =>
    row.map((field) => (typeof field === "string" ? text(field) : (field ?? ""))).join(","),
  );
  return `${lines.join("\r\n")}\r\n`;
}
