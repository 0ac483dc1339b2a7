"""The report: it holds what it must, needs nothing from elsewhere, and nobody's text acts in it."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from core.contract import MULTI_LABEL
from core.errors import ArtifactError
from tests.support import pages
from tests.support.pages import HASHES, LABELS, THRESHOLDS
from verify.report import plots, report
from verify.report.inputs import Evaluation

VOID = {"meta", "path", "circle", "polyline", "rect", "br"}


class Page(HTMLParser):
    """Elements, attributes and the text of each section; fails where tags are not closed in order."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: dict[str, str] = {}
        self.rows: list[list[str]] = []
        self.section = ""
        self.feed(content)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "section":
            self.section = dict(attrs)["id"]
        elif tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text[self.section] = self.text.get(self.section, "") + data
        if "td" in self.open or "th" in self.open:
            self.rows[-1][-1] += data


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    folder = tmp_path_factory.mktemp("build")
    pages.evaluate(folder)
    pages.benchmark(folder)
    return folder


@pytest.fixture(scope="module")
def content(build):
    return report.render(pages.described(), pages.files(), build)


@pytest.fixture(scope="module")
def page(content):
    return Page(content)


def test_nothing_comes_from_elsewhere(page, content):
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "link", "img", "iframe", "object", "embed", "base", "form", "image", "use"}
    for _, attributes in page.elements:
        assert not {"src", "srcset", "style", "xlink:href", "data", "action"} & set(attributes)
        assert not [name for name in attributes if name.startswith("on")]
        assert attributes.get("href", "#").startswith("#")
    style = content.split("<style>")[1].split("</style>")[0]
    assert not re.search(r"url\(|@import|http", style)
    (policy,) = [a["content"] for _, a in page.elements if a.get("http-equiv")]
    assert policy.startswith("default-src 'none'")


def test_every_link_has_its_section(page):
    links = {attributes["href"][1:] for tag, attributes in page.elements if tag == "a"}
    sections = {attributes["id"] for tag, attributes in page.elements if tag == "section"}
    assert links == sections


def test_hostile_texts_are_shown_and_do_nothing(page, content):
    content.encode("utf-8")
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", content)
    shown = page.text["worst"]
    assert "</td><script src=http://evil.example>alert(1)</script> \\x00\\x1b\\x9b" in shown
    assert "{{ name }} &amp;" in shown
    assert '<img src="http://evil.example/x.png">\\x00' in page.text["curves"]
    assert "(1,000 characters)" in shown
    assert "long " * 30 not in content
    assert "<script src=http://evil.example>" in page.text["metrics"]
    assert "path:../<encoder>" in page.text["built"]


def test_what_was_built_from_what(page):
    built = page.text["built"]
    for digest in "abcd12":
        assert digest * 64 in built
    assert "folded within 1.0e-07" in built
    assert "numpy 2.4.6" in built
    assert "revision main" in built


def test_the_features_of_a_recipe_are_named(tmp_path):
    described = pages.described()
    described["recipe"]["features"] = [{"layers": [0, 2], "pooling": ["mean"]}]
    page = Page(report.render(described, pages.files(), tmp_path))
    assert "mean of layers 0, 2" in page.text["built"]


def test_parity_flips_and_the_largest_changes(page):
    figures = ["0.0250", "none", "1.0e-03", "5.0e-01", "1.0e-02"]
    assert ["fp32", "6.2e-02", "≤ 0.0625", *figures, "ok"] in page.rows
    assert ["int8", "6.2e-02", "≤ 1e-05", *figures, "FAILED"] in page.rows
    assert "int8 over a tolerance" in page.text[""]
    assert ["joy", "0.5", "0", "3"] in page.rows
    assert "No flip in any variant: admiration" in page.text["flips"]
    (first, second), after = (
        [row for row in page.rows if len(row) == 7 and row[6] == flipped] for flipped in ("yes", "no")
    )
    assert first == second
    assert first[1:] == [
        '<img src="http://evil.example/x.png">\\x00',
        "0.2500",
        "0.3125",
        "+0.062",
        "0.3",
        "yes",
    ]
    assert len(after) == 1
    # Only quantized variants have them.
    assert "fp32: the ten" not in page.text["worst"]


def test_metrics_are_beside_the_published_ones_with_differences(page):
    dev, test = (
        ["0.30", "0.500", "0.250−0.250", "0.375+0.250"],
        ["0.30", "0.625", "0.375−0.125", "0.500+0.375"],
    )
    assert ["joy", "7", *dev, *test, "0.40", "–", "0.500", "0.125"] in page.rows
    plain = ["0.30", "0.500", "0.250", "0.375", "0.30", "0.625", "0.375", "0.500"]
    assert ["admiration", "7", *plain, *"––––"] in page.rows
    beside = ["0.500+0.250", "0.250+0.000", "0.375+0.125"]
    assert ["fp32", "dev-tuned", "test", *beside, "0.500", "0.250", "0.375"] in page.rows
    assert ["int8", "dev", "dev", *["0.562", "0.312", "0.438"] * 2] in page.rows
    beside = ["0.375−0.125", "0.125+0.000", "0.250+0.000"]
    assert ["fp32", "at-0.5", "test", *beside, "0.375", "0.125", "0.250"] in page.rows
    assert ["published", "test-tuned", "test", "0.250", "0.250", "0.250", *"–––"] in page.rows
    assert "the encoder here is path:../<encoder>" in " ".join(page.text["metrics"].split())


def test_plots_for_every_label_with_the_threshold_marked(page):
    named = [attributes["aria-label"] for tag, attributes in page.elements if tag == "svg"]
    assert len(named) == 2 * len(LABELS) + 2
    assert "Precision by recall of joy" in named
    assert "Batch 32, 1 thread: texts/s" in named
    # Fixed colours would not follow the theme.
    assert not [a for _, a in page.elements if {"fill", "stroke", "color"} & set(a)]


def test_the_marks_are_where_the_decisions_are(tmp_path):
    arrays = pages.evaluate(tmp_path)
    truth, scores = arrays["truth/test"], arrays["int8/test/probabilities"]
    found = Evaluation("Own", None, [{"variant": "int8", "protocols": {}}], {"int8": scores}, truth)
    for column, row in enumerate(plots.per_label(found, LABELS, THRESHOLDS, MULTI_LABEL)):
        said = scores[:, column] >= np.float32(THRESHOLDS[LABELS[column]])
        hits = (said & truth[:, column]).sum()
        (x, y) = re.findall(r'<circle class="dot v0" cx="([\d.]+)" cy="([\d.]+)"', str(row["curve"]))[0]
        assert (float(x) - 24) / 150 == pytest.approx(hits / truth[:, column].sum(), abs=5e-4)
        assert (128 - float(y)) / 122 == pytest.approx(hits / said.sum(), abs=5e-4)
        assert row["positives"] == truth[:, column].sum()


def test_the_benchmark_is_there(page):
    shown = page.text["benchmark"]
    assert "A <CPU>, 2 CPUs (no VNNI)" in shown
    assert ["int8", "300 (150–600)", "10", "20", "1.50 (0.75–3.00)", "25 %"] in page.rows


def test_the_same_inputs_give_the_same_bytes(content, build):
    assert report.render(pages.described(), pages.files(), build) == content


def test_sections_without_inputs_name_the_target(tmp_path):
    page = Page(report.render(pages.described(), pages.files(), tmp_path))
    for section, target in (
        ("metrics", "evaluate"),
        ("curves", "evaluate"),
        ("reliability", "evaluate"),
        ("benchmark", "bench"),
    ):
        assert f"Run make {target}, then make package" in page.text[section]
    assert not [tag for tag, _ in page.elements if tag == "svg"]


def test_what_was_measured_on_other_graphs_is_left_out(tmp_path):
    pages.evaluate(tmp_path, {**HASHES, "fp32": "9" * 64})
    pages.benchmark(tmp_path, {"fp32": 1, "int8": 24_000_000})
    page = Page(report.render(pages.described(), pages.files(), tmp_path))
    assert "int8, per label" in page.text["metrics"]
    assert "fp32, per label" not in page.text["metrics"]
    assert "Run make bench" in page.text["benchmark"]
    pages.evaluate(tmp_path, {"fp32": "8" * 64, "int8": "9" * 64})
    page = Page(report.render(pages.described(), pages.files(), tmp_path))
    assert "Run make evaluate" in page.text["metrics"]


def test_an_evaluation_without_published_figures(tmp_path):
    pages.evaluate(tmp_path)
    found = json.loads((tmp_path / "evaluation.json").read_text())
    (tmp_path / "evaluation.json").write_text(json.dumps({**found, "published": None}))
    page = Page(report.render(pages.described(), pages.files(), tmp_path))
    assert "published" not in page.text["metrics"].lower()


@pytest.mark.parametrize("damage", ["json", "npz", "shape", "nan", "missing", "bench", "bench shape"])
def test_damaged_inputs_are_named(tmp_path, damage):
    wrong = {"shape": np.zeros((3, 2), np.float32), "nan": np.full((200, 3), np.nan, np.float32)}
    pages.evaluate(tmp_path, **({"int8/test/probabilities": wrong[damage]} if damage in wrong else {}))
    pages.benchmark(tmp_path)
    file = {"json": "evaluation.json", "bench": "bench/bench.json", "bench shape": "bench/bench.json"}.get(
        damage, "evaluation.npz"
    )
    if damage == "missing":
        np.savez(tmp_path / file, **{"truth/test": np.zeros((3, 3), bool)})
    elif damage not in wrong:
        (tmp_path / file).write_text("{}" if damage == "bench shape" else "{")
    with pytest.raises(ArtifactError, match=re.escape(str(tmp_path / file))):
        report.render(pages.described(), pages.files(), tmp_path)


@pytest.mark.parametrize(("file", "key"), [("evaluation.json", "protocols"), ("bench/bench.json", "machine")])
def test_inputs_of_another_layout_are_one_error(tmp_path, file, key):
    pages.evaluate(tmp_path)
    pages.benchmark(tmp_path)
    text = (tmp_path / file).read_text()
    (tmp_path / file).write_text(text.replace(f'"{key}"', '"other"'))
    with pytest.raises(ArtifactError, match="of another version"):
        report.render(pages.described(), pages.files(), tmp_path)
