"""Texts and labels of every format, as another library wrote them; what is wrong is named, and where."""

from __future__ import annotations

import csv
import json

import pyarrow
import pytest
from pyarrow import parquet

from core.data.data_set import DataSet, overlap
from core.data.table import DataTable
from core.errors import DatasetError, RecipeError
from core.tables import read_table

LABELS = ["late delivery", "Ärger|laut", "praise"]
TEXTS = ['two\nlines, and "quotes"', "tab\there", "é 🤣\u2028", "plain", " padded "]
GIVEN = [["praise"], ["late delivery", "praise"], [], ["late delivery"], ["praise"]]


def write_csv(path, rows, delimiter=","):
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)


def write(path, columns):
    """Write columns as the file's ending says: with csv, json or pyarrow."""
    rows = list(zip(*columns.values(), strict=True))
    if path.suffix == ".parquet":
        parquet.write_table(pyarrow.table(columns), path)
    elif path.suffix in (".csv", ".tsv"):
        write_csv(path, [list(columns), *rows], "," if path.suffix == ".csv" else "\t")
    else:
        lines = [json.dumps(dict(zip(columns, row, strict=True))) for row in rows]
        path.write_text("\n".join(lines), "utf-8")


def read(folder, labels=LABELS, **table):
    return DataSet(DataTable(**table), folder, folder / "cache", labels).read("test")


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.jsonl", "t.ndjson", "t.parquet", "T.CSV"])
def test_every_format_gives_the_same_split(tmp_path, name):
    joined = [";".join(labels) for labels in GIVEN]
    is_list = name.endswith(("jsonl", "ndjson", "parquet"))
    path = tmp_path / name
    write(
        path.with_suffix(path.suffix.lower()),
        {"id": list(range(5)), "said": TEXTS, "kinds": GIVEN if is_list else joined},
    )
    path.with_suffix(path.suffix.lower()).rename(path)
    found = read(tmp_path, test=name, text_column="said", labels_column="kinds", label_separator=";")
    assert found.texts == TEXTS
    assert found.labels == [frozenset(labels) for labels in GIVEN]


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("kind", [int, bool, float])
def test_one_column_a_label(tmp_path, suffix, kind):
    columns = {label: [kind(label in given) for given in GIVEN] for label in LABELS[::-1]}
    write(tmp_path / f"t.{suffix}", {"text": TEXTS, **columns})
    assert read(tmp_path, test=f"t.{suffix}").labels == [frozenset(labels) for labels in GIVEN]


def test_a_label_that_holds_the_separator_may_stand_alone(tmp_path):
    write(tmp_path / "t.csv", {"text": ["a", "b"], "labels": ["Ärger|laut", "praise | late delivery"]})
    assert read(tmp_path, test="t.csv").labels == [{"Ärger|laut"}, {"praise", "late delivery"}]


def test_ids_name_labels_and_others_can_be_left_out(tmp_path):
    write(tmp_path / "t.parquet", {"text": ["a", "b"], "labels": [[2, 0], [1]]})
    write(tmp_path / "t.csv", {"text": ["a", "b"], "labels": ["2|0", "1"]})
    names = ["praise", "other", "late delivery"]
    for name in ("t.parquet", "t.csv"):
        found = read(tmp_path, labels=["praise"], test=name, label_ids=names)
        assert found.labels == [{"praise"}, frozenset()]
    with pytest.raises(DatasetError, match=r"^labels\.names: Mine has no label gone$"):
        read(tmp_path, labels=["praise", "gone"], test="t.csv", label_ids=names, name="Mine")
    write(tmp_path / "n.csv", {"text": ["a", "b"], "labels": ["praise|other", ""]})
    found = read(tmp_path, labels=["praise"], test="n.csv", ignore_labels=["other"])
    assert found.labels == [{"praise"}, frozenset()]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "t.csv",
            "text,labels\na,praise\nb,prais\n",
            r"t\.csv: row 2: labels: label 'prais' is not one of the",
        ),
        ("t.csv", "text,labels\na,praise;praise\n", r"taken apart at '\|' \(data\.label_separator\)$"),
        ("t.csv", "text,labels\n ,praise\n", r"row 1: text: found an empty text$"),
        ("t.csv", "text,labels\na\n", r"row 1: found 1 fields, expected 2$"),
        ("t.csv", "text,text,labels\na,b,praise\n", r"t\.csv: column 'text' found twice$"),
        ("t.csv", "text,labels\n", r"t\.csv: found no row, expected texts$"),
        ("t.csv", "", r"t\.csv: found no row, expected texts$"),
        ("t.csv", "text,labels\na,\nb,\n", r"t\.csv: column 'labels': found no label in any row$"),
        ("t.csv", "txt,labels\na,praise\n", r"row 1: has no column 'text' \(data\.text_column\)$"),
        ("t.csv", "text,praise\na,1\n", r"no column 'labels' .*, and none for label 'late delivery'$"),
        ("t.csv", 'text,labels\n"a"b,praise\n', r"t\.csv: line 2: "),
        ("t.csv", b"text,labels\n\xe9,praise\n", r"t\.csv: .*; expected UTF-8$"),
        ("t.csv", "text,labels\na,praise\n".encode("utf-16"), r"t\.csv: .*; expected UTF-8$"),
        ("t.jsonl", '{"text": 3, "labels": []}', r"row 1: text: found 3, expected a text$"),
        ("t.jsonl", '{"text": "a", "labels": null}', r"row 1: labels: found None, expected labels$"),
        ("t.jsonl", '{"text": "a", "labels": [1]}', r"row 1: labels: label 1 is not one of the recipe's$"),
        ("t.jsonl", '[{"text": "a"}]', r"t\.jsonl: row 1: found an array, expected one object a line$"),
        ("t.jsonl", '\n{"text": "a"', r"t\.jsonl: row 1: cannot be read as JSON: "),
        ("t.jsonl", '{"text": "\\ud800", "labels": ["praise"]}', r"'.{1,2}ud800' is no character"),
        ("t.parquet", "text", r"t\.parquet: cannot be read as Parquet: "),
        ("t.csv", b"PK\x03\x04", r"t\.csv: an archive, which is not accepted"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DatasetError, match=message):
        read(tmp_path, test=name)


@pytest.mark.parametrize("value", ["2", "", "yes"])
def test_a_column_of_a_label_that_is_not_0_or_1(tmp_path, value):
    write(tmp_path / "t.csv", {"text": ["a"], **{label: ["1"] for label in LABELS[1:]}, LABELS[0]: [value]})
    with pytest.raises(DatasetError, match=rf"row 1: late delivery: found '{value}', expected 0 or 1$"):
        read(tmp_path, test="t.csv")


def test_a_column_twice_in_parquet(tmp_path):
    table = pyarrow.table([["a"], ["b"], [["praise"]]], names=["text", "text", "labels"])
    parquet.write_table(table, tmp_path / "t.parquet")
    with pytest.raises(DatasetError, match=r"t\.parquet: .*column found twice: text$"):
        read(tmp_path, test="t.parquet")


def test_a_split_that_is_not_stated_or_not_there(tmp_path):
    data = DataSet(DataTable(train="t.csv", dev="no.csv"), tmp_path, tmp_path, LABELS)
    with pytest.raises(DatasetError, match=r"^\[data\]: found train, dev, expected test, which this needs$"):
        data.read("test")
    with pytest.raises(DatasetError, match=r"no\.csv: not found$"):
        data.read("dev")
    assert data.at_hand("dev")
    assert not data.at_hand("test")


def test_the_reference_is_drawn_from_test_or_read(tmp_path):
    write(tmp_path / "t.csv", {"text": ["a", "b", "c", "d", "a"], "labels": ["praise"] * 5})

    def reference(**more):
        return DataSet(DataTable(test="t.csv", **more), tmp_path, tmp_path, LABELS).reference()

    assert reference() is None
    texts, source = reference(reference_texts=3, reference_seed=7)
    assert source == "texts drawn from the test split of own data by seed 7"
    assert len(set(texts)) == 3
    assert set(texts) <= set("abcd")
    assert reference(reference_texts=3, reference_seed=7) == (texts, source)
    (tmp_path / "own.jsonl").write_text('{"text": "x"}\n{"text": "y"}\n')
    assert reference(reference="own.jsonl") == (["x", "y"], "texts of own.jsonl")
    with pytest.raises(DatasetError, match=r"t\.csv: found 4 different texts, expected at least .*, 5$"):
        reference(reference_texts=5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected at least one of train, dev, test"),
        ('test = "t.xlsx"', r"t\.xlsx: expected a file ending in \.csv"),
        ('test = "https://example.org/t.csv"', "sha256 states none for test, which a download needs"),
        ('test = "t.csv"\nheader = false', r"text_column: found 'text', expected its number from 1"),
        ('test = "t.csv"\ntext_column = 2', "text_column: found 2, expected the name of a column"),
        ('file = "a.toml"\ntest = "t.csv"', "file: expected no other key beside it"),
        ('train = "t.csv"\nreference_texts = 5', "reference_texts: there is no test to draw from"),
        ('test = "t.csv"\nseparator = ","', "separator: unknown key"),
        ('test = "t.csv"\n[sha256]\ndev = "%s"' % ("0" * 64), "sha256: there is no dev"),
    ],
)
def test_tables_that_contradict_themselves(tmp_path, text, message):
    (tmp_path / "data.toml").write_text(text)
    with pytest.raises(RecipeError, match=message):
        read_table(DataTable, tmp_path / "data.toml")


def test_texts_that_are_in_two_splits():
    assert overlap(("train", "test"), (["a", "b"], ["c", "d"])) is None
    sentence = overlap(("train", "test"), (["a", "b"], ["c", "b", "d"]))
    assert sentence == "1 of 3 texts of test are in train as well; the first is 'b'"
    with pytest.raises(
        DatasetError, match=r"^2 of 3 texts of test .*; expected other texts, on which nothing"
    ):
        overlap(("train", "test"), (["a", "b"], ["a", "b", "d"]))
