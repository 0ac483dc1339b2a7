"""Whatever a corpus holds beside its texts comes out as it went in, in every pair of kinds, or is refused."""

from __future__ import annotations

import csv
import datetime
import json
import string
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from core.errors import ScoreError
from core.untrusted.limited import process
from score import job
from score.input import blocks
from score.options import Options
from tests.support import limited

# A folder for all examples of a test: each writes its files anew.
DRAWN = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
ADDED = ["labels", "truncated"]
SMALL_BLOCK = 7


@pytest.fixture
def run(tiny, tmp_path, monkeypatch):
    """Score files in this process; the graph is this test's own, and is run in it, too."""
    monkeypatch.setattr(process, "start", limited.in_a_thread)

    def start(into, *names, block=blocks.BLOCK_BYTES):
        monkeypatch.setattr(blocks, "BLOCK_BYTES", block)
        output = tmp_path / f"out.{into}"
        output.unlink(missing_ok=True)
        job.run(Options(tiny, str(tmp_path / names[0]), output))
        return output

    return start


def refused(run, into, name, *words):
    with pytest.raises(ScoreError) as caught:
        run(into, name)
    for word in words:
        assert word in str(caught.value)
    return str(caught.value)


def outcome(run, *arguments, **more):
    """The output, or the refusal."""
    try:
        return run(*arguments, **more)
    except ScoreError as error:
        return error


# Tables over Arrow's types.

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
UNITS = st.sampled_from(["s", "ms", "us", "ns"])
ZONES = st.sampled_from([None, "UTC", "Europe/Berlin", "+05:30"])
INT64 = st.integers(-(2**63), 2**63 - 1)
# Years 1700 to 2200: what nanoseconds hold.
TIMES = {"s": (2**33, 1), "ms": (2**33, 10**3), "us": (2**33, 10**6), "ns": (2**33, 10**9)}


def column(type_, values):
    return st.lists(st.none() | values, min_size=4, max_size=4).map(lambda found: pa.array(found, type_))


def times(unit, zone):
    limit, factor = TIMES[unit]
    return column(pa.timestamp(unit, zone), st.integers(-limit * factor, limit * factor))


def floats(type_, width):
    return column(type_, st.floats(width=width))


FLAT = st.one_of(
    *(
        column(getattr(pa, f"{sign}int{bits}")(), st.integers(low, high - 1))
        for bits in (8, 16, 32, 64)
        for sign, low, high in (("", -(2 ** (bits - 1)), 2 ** (bits - 1)), ("u", 0, 2**bits))
    ),
    column(pa.bool_(), st.booleans()),
    floats(pa.float64(), 64),
    floats(pa.float32(), 32),
    column(pa.string(), TEXT),
    column(pa.large_string(), TEXT),
    column(pa.binary(), st.binary(max_size=4)),
    column(pa.decimal128(38, 20), st.decimals(-(10**15), 10**15, places=20)),
    st.builds(times, UNITS, ZONES).flatmap(lambda found: found),
    column(pa.date32(), st.dates()),
    column(pa.time64("ns"), st.integers(0, 86_399_999_999_999)),
    column(pa.duration("us"), INT64),
    column(pa.string(), st.sampled_from(["a", "b"])).map(pa.Array.dictionary_encode),
)
NESTED = st.one_of(
    column(pa.list_(pa.int64()), st.lists(st.none() | INT64, max_size=3)),
    column(
        pa.struct([("a", pa.int64()), ("b", pa.list_(pa.string()))]),
        st.fixed_dictionaries({"a": st.none() | INT64, "b": st.none() | st.lists(TEXT, max_size=2)}),
    ),
    column(pa.map_(pa.string(), pa.int64()), st.lists(st.tuples(TEXT, INT64), max_size=2)),
    column(pa.list_(pa.float64(), 2), st.lists(st.floats(), min_size=2, max_size=2)),
)


def bits(array):
    """Values to compare: each float by its bits, so that NaN is NaN and -0 is not 0."""
    values = array.to_pylist() if not pa.types.is_temporal(array.type) else array.view(pa.int64()).to_pylist()
    return [value if not isinstance(value, float) else np.float64(value).tobytes() for value in values]


def back(texts, type_):
    """Read a column of texts as a type, by Arrow's own casts or Python's own readers."""
    if pa.types.is_dictionary(type_):
        return texts
    if pa.types.is_duration(type_):
        return [None if text is None else int(text) for text in texts]
    if pa.types.is_floating(type_):
        width = np.float32 if pa.types.is_float32(type_) else np.float64
        return [None if text is None else np.float64(width(text)).tobytes() for text in texts]
    if pa.types.is_time64(type_):
        return [None if text is None else nanoseconds(text) for text in texts]
    if pa.types.is_decimal(type_):
        return [None if text is None else Decimal(text) for text in texts]
    if pa.types.is_timestamp(type_) and type_.tz:
        return bits(pa.array(texts, pa.string()).cast(pa.timestamp(type_.unit, "UTC")))
    if pa.types.is_date32(type_):
        zero = datetime.date(1970, 1, 1)
        return [None if text is None else (datetime.date.fromisoformat(text) - zero).days for text in texts]
    return bits(pa.array(texts, pa.string()).cast(type_))


def nanoseconds(text):
    hours, minutes, seconds = text.split(":")
    return int(Decimal(seconds).scaleb(9)) + (int(hours) * 60 + int(minutes)) * 60 * 10**9


def expected(array):
    if pa.types.is_date32(array.type):
        return array.cast(pa.int32()).to_pylist()
    if pa.types.is_dictionary(array.type):
        return array.to_pylist()
    if pa.types.is_time64(array.type) or pa.types.is_duration(array.type):
        return array.cast(pa.int64()).to_pylist()
    return bits(array)


def has(array, kind):
    """Whether text, or JSON, lacks a value of an array, and so must refuse it."""
    flat = array.flatten() if pa.types.is_nested(array.type) and not pa.types.is_map(array.type) else array
    if isinstance(flat, list):
        return any(has(child, kind) for child in flat)
    if pa.types.is_binary(flat.type):
        return any(value is not None and not decodes(value) for value in flat.to_pylist())
    nested = pa.types.is_nested(array.type)
    if pa.types.is_floating(flat.type) and (kind == "jsonl" or nested):
        return any(value is not None and not np.isfinite(value) for value in flat.to_pylist())
    return False


def decodes(value):
    try:
        return value.decode() is not None
    except UnicodeDecodeError:
        return False


@DRAWN
@given(st.lists(FLAT | NESTED, min_size=1, max_size=4), st.integers(1, 4))
def test_parquet_into_parquet_is_the_same_columns(run, tmp_path, arrays, group):
    table = pa.table({f"c{i}": array for i, array in enumerate(arrays)} | {"text": ["a", None, "b", "a"]})
    pq.write_table(table, tmp_path / "in.parquet", row_group_size=group)
    # Parquet has no seconds: milliseconds are what the input holds.
    table = pq.read_table(tmp_path / "in.parquet")
    found = pq.read_table(run("parquet", "in.parquet"))
    assert found.column_names == [*table.column_names, *ADDED]
    for name in table.column_names:
        assert found.schema.field(name).type == table.schema.field(name).type
        # As text: NaN is NaN there, and times of nanoseconds are no objects of Python's.
        ours, theirs = (t.column(name).combine_chunks().to_string(window=9) for t in (found, table))
        assert ours == theirs


@pytest.mark.parametrize("into", ["csv", "jsonl"])
@DRAWN
@given(array=FLAT)
def test_parquet_into_text_reads_back(run, tmp_path, into, array):
    pq.write_table(pa.table({"c": array, "text": ["a", None, "b", "a"]}), tmp_path / "in.parquet")
    array = pq.read_table(tmp_path / "in.parquet").column("c").combine_chunks()
    if has(array, into):
        refused(run, into, "in.parquet", "in.parquet, row ", "column 'c'")
        return
    output = run(into, "in.parquet")
    if into == "csv":
        strings = dict.fromkeys(["c", "text", *ADDED], pa.string())
        options = pa.csv.ConvertOptions(
            column_types=strings,
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        )
        parse = pa.csv.ParseOptions(newlines_in_values=True)
        values = pa.csv.read_csv(output, parse_options=parse, convert_options=options).column("c").to_pylist()
    else:
        values = [json.loads(line)["c"] for line in output.read_text("utf-8").split("\n")[:-1]]
        values = [None if value is None else json_text(value) for value in values]
    assert back(values, array.type) == expected(array)


def json_text(value):
    return (
        value if isinstance(value, str) else repr(value).lower() if isinstance(value, bool) else repr(value)
    )


@pytest.mark.parametrize("into", ["csv", "jsonl"])
@DRAWN
@given(array=NESTED)
def test_nested_parquet_into_text_is_json(run, tmp_path, into, array):
    pq.write_table(pa.table({"c": array, "text": ["a", None, "b", "a"]}), tmp_path / "in.parquet")
    if has(array, into):
        refused(run, into, "in.parquet", "in.parquet, row ", "column 'c'")
        return
    output = run(into, "in.parquet")
    if into == "csv":
        with output.open(encoding="utf-8", newline="") as file:
            values = [json.loads(row["c"] or "null") for row in csv.DictReader(file)]
    else:
        values = [json.loads(line)["c"] for line in output.read_text("utf-8").split("\n")[:-1]]
    assert json.dumps(values) == json.dumps(array.to_pylist())


# CSV: fields are strings, and nulls.

FIELD = st.none() | st.text(st.sampled_from([*'",\r\na 0é\u2028', "\x00"]), max_size=6)


def as_csv(rows, end, bare):
    """Write rows as another program would: null is nothing, the empty string is quoted."""

    def written(field):
        if field is None:
            return ""
        plain = field and not set(field) & set('",\r\n')
        return field if plain and bare else '"' + field.replace('"', '""') + '"'

    return end.join(",".join(map(written, row)) for row in rows)


@DRAWN
@given(
    st.integers(1, 3).flatmap(lambda n: st.lists(st.tuples(*[FIELD] * n), min_size=1, max_size=6)),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.booleans(),
    st.booleans(),
    st.integers(SMALL_BLOCK, 40),
)
@example([("a\r\n",)] * 3, "\r\n", True, True, SMALL_BLOCK)
def test_csv_is_kept_field_by_field(run, tmp_path, rows, end, bare, ended, block):
    names = ["text", "b", "c"][: len(rows[0])]
    content = as_csv([names, *rows], end, bare) + (end if ended or rows[-1] == (None,) else "")
    (tmp_path / "in.csv").write_text(content, "utf-8", newline="")
    found = pq.read_table(run("parquet", "in.csv", block=block))
    assert found.select(names).to_pylist() == [dict(zip(names, row, strict=True)) for row in rows]
    # As Arrow itself reads the output, in one piece.
    again = pa.csv.ConvertOptions(
        column_types=dict.fromkeys([*names, *ADDED], pa.string()),
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    output = run("csv", "in.csv", block=block)
    parse = pa.csv.ParseOptions(newlines_in_values=True)
    table = pa.csv.read_csv(output, parse_options=parse, convert_options=again)
    assert table.select(names).to_pylist() == found.select(names).to_pylist()
    lines = run("jsonl", "in.csv", block=block).read_text("utf-8").split("\n")[:-1]
    assert [{name: json.loads(line)[name] for name in names} for line in lines] == found.select(
        names
    ).to_pylist()


@DRAWN
@given(st.text(st.sampled_from('",\r\nab'), min_size=1, max_size=30), st.integers(SMALL_BLOCK, 20))
def test_any_csv_is_read_as_arrow_reads_it_in_one_piece_or_refused(run, tmp_path, content, block):
    """Quotes anywhere, rows of any width, ends of any kind: a block's edge changes nothing."""
    data = f"text,b\n{content}\n"
    (tmp_path / "in.csv").write_bytes(data.encode())
    strings = pa.csv.ConvertOptions(
        column_types=dict.fromkeys(["text", "b"], pa.string()),
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    parse = pa.csv.ParseOptions(newlines_in_values=True)
    try:
        whole = pa.csv.read_csv(tmp_path / "in.csv", parse_options=parse, convert_options=strings)
    except pa.ArrowInvalid:
        assume(False)
    output = outcome(run, "parquet", "in.csv", block=block)
    if isinstance(output, ScoreError):
        # Arrow takes the end of the file for the quote's.
        assert "expected a quote at the end" in str(output)
        return
    found = pq.read_table(output)
    assert found.select(["text", "b"]).to_pylist() == whole.to_pylist()


# JSON Lines: the line itself, the digits, or the type that holds all.

JSON_TEXT = st.text(st.sampled_from([*string.printable, "é", "🤣", "\u2028"]), max_size=6)
NUMBER = st.one_of(
    st.integers(-(2**70), 2**70).map(str),
    st.floats().map(json.dumps),
    st.sampled_from(["1.10", "-0", "1E5", "0.1234567890123456789", "1e999", "9007199254740993"]),
)
SPELLED = st.recursive(
    NUMBER | JSON_TEXT.map(json.dumps) | st.sampled_from(["true", "false", "null"]),
    lambda inner: (
        st.lists(inner, max_size=2).map(lambda found: f"[{','.join(found)}]")
        | st.lists(st.tuples(st.sampled_from(["x", "y"]), inner), max_size=2, unique_by=lambda p: p[0]).map(
            lambda found: "{" + ", ".join(f'"{key}":{value}' for key, value in found) + "}"
        )
    ),
    max_leaves=4,
)


@DRAWN
@given(st.lists(SPELLED, min_size=1, max_size=4), st.integers(SMALL_BLOCK, 60))
def test_json_lines_are_kept(run, tmp_path, values, block):
    lines = [f'{{"c": {value} , "text":"a", "c2":1 }}' for value in values]
    (tmp_path / "in.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    output = run("jsonl", "in.jsonl", block=block).read_text("utf-8").split("\n")[:-1]
    for line, given_line in zip(output, lines, strict=True):
        assert line.startswith(given_line[:-2] + ', "labels": [')
        assert json.loads(line).keys() == {"c", "text", "c2", *ADDED}
    with run("csv", "in.jsonl", block=block).open(encoding="utf-8", newline="") as file:
        for row, value in zip(csv.DictReader(file), values, strict=True):
            exact = {"parse_int": Decimal, "parse_float": Decimal, "parse_constant": str}
            read = json.loads(value, **exact)
            if isinstance(read, str) or read is None:
                assert row["c"] == (read or "")
            else:
                assert json.loads(row["c"], **exact) == read
    output = outcome(run, "parquet", "in.jsonl", block=block)
    if isinstance(output, ScoreError):
        assert "in.jsonl" in str(output)
        assert "column 'c" in str(output)
        return
    found = pq.read_table(output).column("c").to_pylist()
    for ours, value in zip(found, values, strict=True):
        assert same(ours, json.loads(value))


def same(ours, theirs):
    """Whether a value of Parquet's is one of JSON's; the fields that others have are null there."""
    if isinstance(theirs, dict):
        return all(same(value, theirs.get(key)) for key, value in ours.items())
    if isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    if isinstance(theirs, float):
        return ours == theirs or (np.isnan(theirs) and np.isnan(ours))
    return ours == theirs


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (['{"text": "a", "n": 1}', '{"text": "a", "n": "x"}'], ["line 2", "'n'", "on line 1 number"]),
        (['{"text": "a", "n": 0.5}', '{"text": "a", "n": 9007199254740993}'], ["line 2", "'n'", "double"]),
        (['{"text": "a", "n": 18446744073709551616}'], ["line 1", "'n'", "64 bits"]),
        (['{"text": "a", "n": 0.12345678901234567890}'], ["line 1", "'n'", "more digits"]),
        (['{"text": "a", "n": {}}'], ["'n'", "objects without fields"]),
        (['{"text": "a", "n": 1, "n": 2}'], ["line 1", "found n twice"]),
        (['{"text": "a", "n": {"x": "\\ud800"}}'], ["line 1", "'n': column 'x'", "surrogate"]),
    ],
)
def test_what_a_column_cannot_hold_is_refused_at_once(run, tmp_path, lines, words):
    (tmp_path / "in.jsonl").write_text("\n".join(lines), "utf-8")
    refused(run, "parquet", "in.jsonl", "in.jsonl", ".jsonl output takes it", *words)
    assert not (tmp_path / "out.parquet.parts").exists()
    assert run("jsonl", "in.jsonl").read_text("utf-8").startswith(lines[0][:-1] + ", ")


def test_integers_of_several_files_do_not_become_doubles_that_round_them(run, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for name, value in (("a", 0.5), ("b", 2**53 + 1)):
        pq.write_table(pa.table({"n": [value], "text": ["a"]}), folder / f"{name}.parquet")
    refused(run, "parquet", "in", "b.parquet", "column 'n'")
    for name, value in (("a", Decimal("0.1")), ("b", 0.5)):
        pq.write_table(pa.table({"n": [value], "text": ["a"]}), folder / f"{name}.parquet")
    pq.write_table(pa.table({"n": [Decimal("0.10000000000000000001")], "text": ["a"]}), folder / "a.parquet")
    refused(run, "parquet", "in", "a.parquet", "column 'n'", "rounds")


def test_the_survey_names_a_value_before_anything_is_scored(run, tmp_path):
    rows = 9_000
    numbers = pa.array([0.5] * (rows - 1) + [float("nan")])
    pq.write_table(pa.table({"n": numbers, "text": ["a"] * rows}), tmp_path / "in.parquet")
    refused(run, "jsonl", "in.parquet", "in.parquet, row 9000, column 'n': found nan")
    assert not (tmp_path / "out.jsonl.parts").exists()
    assert pq.read_table(run("parquet", "in.parquet")).column("n").to_pylist()[0] == 0.5
    years = pa.array([10**14], pa.timestamp("s"))
    pq.write_table(pa.table({"n": years, "text": ["a"]}), tmp_path / "in.parquet")
    refused(run, "csv", "in.parquet", "row 1, column 'n'", "out of range")


def test_bytes_of_other_columns_are_not_replaced(run, tmp_path):
    (tmp_path / "in.csv").write_bytes(b"name,text\nok,a\ncaf\xe9,a\n")
    refused(run, "csv", "in.csv", "in.csv, row 2, column 'name'", "UTF-8")
    (tmp_path / "in.jsonl").write_bytes(b'{"name": "caf\xe9", "text": "a"}\n')
    refused(run, "jsonl", "in.jsonl", "in.jsonl, line 1", "UTF-8")
    pq.write_table(pa.table({"name": [b"\xe9"], "text": ["a"]}), tmp_path / "in.parquet")
    refused(run, "csv", "in.parquet", "in.parquet, row 1, column 'name'", "UTF-8")
    assert pq.read_table(run("parquet", "in.parquet")).column("name").to_pylist() == [b"\xe9"]
