/** Tables that come in and go out: read as spreadsheets write them, written so that no field is a formula. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { csv, digits, json } from "../../web/src/answers.js";
import { hasNames, parse, safe, tableOf, textColumn, write } from "../../web/src/csv.js";

test("quotes, line ends and empty fields are read as RFC 4180 has them", () => {
  const text = 'id,text\r\n1,"a ""quoted"", line\r\nand another"\r\n\r\n2,\r\n3,last';
  assert.deepEqual(parse(text, ",").rows, [
    ["id", "text"],
    ["1", 'a "quoted", line\r\nand another'],
    ["2", ""],
    ["3", "last"],
  ]);
  assert.deepEqual(parse("a;b\rc;", ";").rows, [
    ["a", "b"],
    ["c", ""],
  ]);
  assert.equal(parse('a,"b\nc', ","), null);
  assert.deepEqual(parse("", ",").rows, []);
});

test("what is written is read back", () => {
  const rows = [
    ["text", "n"],
    ['a "b", c\nd', ""],
    ["é 日本 \u{1f923}", " spaces "],
  ];
  assert.deepEqual(parse(write(rows), ",").rows, rows);
});

test("a table is told from prose, whatever separates its fields", () => {
  for (const [text, width] of [
    ["a\tb\nc\td", 2],
    ["id;comment\n1;good, or not\n2;bad", 2],
    ['"it, is"\n"a, b"', 1],
    ["5,fine\n1,bad", 2],
    ["text\nI love this\nWhy", 1],
  ]) {
    const found = tableOf(text);
    assert.ok(found.sure, text);
    assert.equal(found.rows[0].length, width, text);
  }
  // Two commas in two lines are no table to be sure of; lines of other lengths are none at all.
  assert.equal(tableOf("Yes, thanks\nNo, sorry").sure, false);
  assert.equal(tableOf("Yes, thanks\nNo"), null);
  assert.equal(tableOf("one line, alone"), null);
  assert.equal(tableOf("plain\nprose"), null);
});

test("names of columns and the column of texts are found", () => {
  const named = [
    ["Stars", "Comment"],
    ["5", "ok"],
  ];
  assert.ok(hasNames(named));
  assert.equal(textColumn(named, true), 1);
  assert.ok(
    hasNames([
      ["a", "b"],
      ["1", "what a day"],
    ]),
  );
  const bare = [
    ["what a day", "5"],
    ["and another", "4"],
  ];
  assert.ok(!hasNames(bare));
  assert.equal(textColumn(bare, false), 0);
});

test("reading takes time in proportion to the text, on input made to be slow", () => {
  const started = performance.now();
  for (const unit of ["1", " ", '"', '""', "\u200b", "\n", ",", "a,b\n", "+", "\t"]) {
    const text = unit.repeat(300_000 / unit.length);
    tableOf(text);
    hasNames([[text], [`${text}x`]]);
    safe(`${text}x`);
  }
  assert.ok(performance.now() - started < 15_000);
});

test("a field that a spreadsheet would run begins with an apostrophe; numbers and texts do not", () => {
  for (const field of [
    '=HYPERLINK("//a.example","x")',
    "+1+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(A1)",
    "\tx",
    "\rx",
    "\nx",
    " =1+1",
    "\u200b=1+1",
    "＝1+1",
    "\ufeff@x",
    "-",
  ]) {
    assert.equal(safe(field), `'${field}`, JSON.stringify(field));
  }
  for (const field of ["-5", "+1.5", "-1,5", "-3e4", "", "a=b", "I love this", "1-2"])
    assert.equal(safe(field), field);
  assert.equal(write([["=1", 0.5, true, null]]), '"\'=1",0.5,true,\r\n');
});

const model = {
  name: "mail",
  labels: [
    { label: "late", threshold: 0.25 },
    { label: "=lost", threshold: 0.5 },
  ],
};
const answer = (variant, late, lost) => ({
  variant,
  ids: [1, 2, 3],
  truncated: false,
  ms: 1,
  labels: [
    { label: "late", threshold: 0.25, probability: Math.fround(late), decided: late >= 0.25 },
    { label: "=lost", threshold: 0.5, probability: Math.fround(lost), decided: lost >= 0.5 },
  ],
});

test("JSON has labels, probabilities and thresholds, and every digit that counts", () => {
  const found = [
    { text: "=1\n<b>", answers: [answer("int8", 0.3, 0.9), answer("fp32", 0.2, 0.9)] },
    { text: " ", answers: null },
  ];
  const [text, ...others] = JSON.parse(json(model, found)).texts;
  assert.deepEqual(others, []);
  assert.equal(text.text, "=1\n<b>");
  assert.deepEqual(
    text.answers.map(({ variant, labels }) => [variant, labels]),
    [
      ["int8", ["=lost", "late"]],
      ["fp32", ["=lost"]],
    ],
  );
  assert.deepEqual(text.answers[0].probabilities, { late: 0.3, "=lost": 0.9 });
  assert.deepEqual(JSON.parse(json(model, found)).thresholds, { late: 0.25, "=lost": 0.5 });
  for (let turn = 0; turn < 1000; turn += 1) {
    const number = Math.fround(Math.random() ** 9);
    assert.equal(Math.fround(digits(number)), number);
  }
});

test("CSV has the table's own columns, then the answers, in columns of names that are free", () => {
  const rows = [
    { fields: ["7", "@late"], answers: [answer("int8", 0.3, 0.9)] },
    { fields: ["8", " "], answers: null },
  ];
  const found = parse(csv(model, ["int8"], ["labels", "text"], rows), ",").rows;
  assert.deepEqual(found, [
    ["labels", "text", "labels_2", "truncated", "late", "'=lost"],
    ["7", "'@late", "'=lost|late", "false", "0.3", "0.9"],
    ["8", " ", "", "", "", ""],
  ]);
  const both = [{ fields: ["a"], answers: [answer("int8", 0.3, 0.9), answer("fp32", 0.2, 0.9)] }];
  const [head, row] = parse(csv(model, ["int8", "fp32"], ["text"], both), ",").rows;
  assert.equal(
    head.join(),
    "text,labels_int8,labels_fp32,truncated,late_int8,'=lost_int8,late_fp32,'=lost_fp32",
  );
  assert.equal(row.join(), "a,'=lost|late,'=lost,false,0.3,0.9,0.2,0.9");
});
