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
        assert attributes.get("href", "#").startswith("#") or attributes["href"] == "README.md"
    style = content.split("<style>")[1].split("</style>")[0]
    assert not re.search(r"url\(|@import|http", style)
    (policy,) = [a["content"] for _, a in page.elements if a.get("http-equiv")]
    assert policy.startswith("default-src 'none'")


def test_every_link_has_its_section(page):
    card, *links = (attributes["href"] for tag, attributes in page.elements if tag == "a")
    assert card == "README.md"
    sections = {attributes["id"] for tag, attributes in page.elements if tag == "section"}
    assert {link.removeprefix("#") for link in links} == sections


def test_hostile_texts_are_shown_and_do_nothing(page, content):
    content.encode("utf-8")
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", content)
    shown = page.text["worst"]
    assert "</td><script src=http://evil.example>alert(1)</script> \\x00\\x1b\\x9b" in shown
    assert "{{ name }} &amp;" in shown
    assert "scroll sideways" in shown
    assert '<img src="http://evil.example/x.png">\\x00' in page.text["curves"]
    assert "(1,000 characters)" in shown
    assert "long " * 30 not in content
    assert "<script src=http://evil.example>" in page.text["metrics"]
    assert "a local folder, <encoder>" in page.text["built"]
    assert "path:" not in content


def test_what_was_built_from_what(page):
    built = page.text["built"]
    for digest in "abcd12":
        assert digest * 64 in built
    assert "folded within 1 × 10⁻⁷ of the original" in built
    assert "numpy 2.4.6" in built
    assert "revision main" in built


def test_the_features_of_a_recipe_are_named(tmp_path):
    described = pages.described()
    described["recipe"]["features"] = [{"layers": [0, 2], "pooling": ["mean"]}]
    page = Page(report.render(described, pages.files(), tmp_path))
    assert "mean of layers 0, 2" in page.text["built"]


def test_parity_flips_and_the_largest_changes(page):
    assert ["fp32", "passed", "0.062", "0.062", "0.001", "0.5", "0.01"] in page.rows
    assert ["int8", "FAILED", "0.062", "0.00001", "0.001", "0.5", "0.01"] in page.rows
    assert ["int8", "FAILED", "24 MB", "3 (2.5 %)", "onnx/model_quantized.onnx"] in page.rows
    assert ["joy", "0.5", "0", "3"] in page.rows
    assert "admiration" not in page.text["flips"]
    (changed,), (same,) = (
        [row for row in page.rows if len(row) == 7 and row[1].startswith(kind)] for kind in ("other:", "same")
    )
    label = '<img src="http://evil.example/x.png">\\x00'
    assert changed[1:] == [f"other: {label}", "+0.062", label, "0.250", "0.312", "0.3"]
    assert same[1:] == ["same", "+0.062", "joy", "0.250", "0.312", "0.3"]
    # Only quantized variants have them.
    assert "fp32" not in page.text["worst"]


def test_how_many_texts_get_other_labels_and_where_the_limit_was_held(tmp_path):
    described = pages.guarded()
    for variant, limit in zip(described["variants"], (None, 0.035, 0.0005), strict=True):
        variant["tolerance"]["max_flip_rate"] = limit
    described["quantization"] |= {"held_out": "5426 texts of Own dev", "held_out_flip_rate": 0.0264}
    described["quantization"]["guarded"] = {"expected_flip_rate": 0.000136}
    described["evaluations"] = [
        kept("int8"),
        kept("int8") | {"variant": "guarded", "flips_from_fp32": 1 / 5427},
    ]
    described["data"] = {"name": "Own"}
    page = Page(report.render(described, pages.files(), tmp_path))
    assert [row for row in page.rows if len(row) == 4][:5] == [
        ["texts", "fp32", "int8", "guarded"],
        ["the recipe allows", "–", "3.5 %", "0.05 %"],
        [
            "held to that when the plan was chosen: 5,426 texts of Own dev, against float32",
            *["–", "2.6 %", "0.014 % expected"],
        ],
        ["held to that by every build: the 119 reference texts, against the original", *["3 (2.5 %)"] * 3],
        [
            "looked at afterwards: 5,427 test texts of Own, against fp32",
            *["–", "163 (3.0 %)", "1 (0.018 %)"],
        ],
    ]


def test_others_are_beside_it(tmp_path):
    other = {"model": "Big <one>", "f1": "0.541", "thresholds": "swept", "size": None}
    described = pages.described() | {
        "evaluations": [kept("int8")],
        "data": {"name": "Own", "others": [other]},
    }
    page = Page(report.render(described, pages.files(), tmp_path))
    at = page.rows.index(["model", "macro-F1", "file", "thresholds"])
    theirs, ours = ["Big <one>", "0.541", "–", "swept"], ["this one", "0.375", "24 MB", "as packaged"]
    assert page.rows[at + 1 : at + 3] == [theirs, ours]
    described["recipe"] |= {"head": {"source": "path:../head"}, "card": {"thresholds": "chosen on dev"}}
    page = Page(report.render(described, pages.files(), tmp_path))
    assert [*ours[:3], "chosen on dev"] in page.rows
    described["evaluations"] = []
    assert "others" not in Page(report.render(described, pages.files(), tmp_path)).text


def test_the_plan_is_told_once_and_without_what_is_empty(tmp_path):
    described = pages.described()
    same = {"plan_sha256": "9" * 64, "guarded_plan_sha256": "9" * 64}
    found = {
        "guarded": {"bound": 0.00016, "asked_share": 0.18},
        "modes": {},
        "guard": "in words",
        "head": {"texts": 3418},
        "held_out": "5426 texts of Own dev",
    }
    described["quantization"] = {**same, **found}
    built = Page(report.render(described, pages.files(), tmp_path)).text["built"]
    assert built.count("9" * 64) == 1
    assert "modes" not in built
    assert "in words" not in built
    assert "0.00016" not in built
    for words in ("texts: 3,418", "5,426 texts of Own dev"):
        assert words in built
    described["quantization"] = {**same, "guarded_plan_sha256": "8" * 64}
    assert "8" * 64 in Page(report.render(described, pages.files(), tmp_path)).text["built"]


def test_metrics_are_beside_the_published_ones_with_differences(page):
    dev, test = (
        ["0.375+0.250", "0.500", "0.250−0.250", "0.3"],
        ["0.500+0.375", "0.625", "0.375−0.125", "0.3"],
    )
    assert ["joy", "7", *dev, *test, "0.125", "–", "0.500", "0.4"] in page.rows
    plain = ["0.375", "0.500", "0.250", "0.3", "0.500", "0.625", "0.375", "0.3"]
    assert ["admiration", "7", *plain, *"––––"] in page.rows
    beside = ["0.375+0.125", "0.500+0.250", "0.250+0.000"]
    assert ["fp32", "dev-tuned", "test", *beside, "0.375", "0.500", "0.250"] in page.rows
    assert ["int8", "dev", "dev", *["0.438", "0.562", "0.312"] * 2] in page.rows
    beside = ["0.250+0.000", "0.375−0.125", "0.125+0.000"]
    assert ["fp32", "at-0.5", "test", *beside, "0.250", "0.375", "0.125"] in page.rows
    assert ["published", "test-tuned", "test", "0.250", "0.250", "0.250", *"–––"] in page.rows
    assert "the encoder here is a local folder, <encoder>" in " ".join(page.text["metrics"].split())


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
    assert ["roberta-base", "400 (200–800)", "10", "20", "1.50 (0.75–3.00)", ""] in page.rows
    assert ["roberta-base", "1", "0 kB", "500 ms", "5.0 MB", "–"] in page.rows


def test_the_same_inputs_give_the_same_bytes(content, build):
    assert report.render(pages.described(), pages.files(), build) == content


def test_sections_without_inputs_are_not_there(tmp_path):
    page = Page(report.render(pages.described(), pages.files(), tmp_path))
    assert not {"metrics", "curves", "reliability", "benchmark"} & set(page.text)
    assert not [tag for tag, _ in page.elements if tag == "svg"]
    assert "Not measured for these files: speed (make bench)." in page.text[""]
    assert "was not measured: the recipe names no texts with labels." in page.text[""]
    page = Page(report.render(pages.described() | {"data": {"name": "Own"}}, pages.files(), tmp_path))
    assert "Not measured for these files: F1 (make evaluate), speed (make bench)." in page.text[""]
    described = pages.described()
    for variant in described["variants"]:
        variant["quantization"] = "none"
        variant["parity"]["flips"] = dict.fromkeys(LABELS, 0)
    page = Page(report.render(described, pages.files(), tmp_path))
    assert set(page.text) == {"", "flips", "parity", "invariance", "built"}


def test_figures_come_first_and_hashes_are_folded(page, content):
    shown = page.text[""]
    for figure in ("24 MB", "90 MB", "2.5 %"):
        assert figure in shown
    assert not re.search(r"\b[0-9a-f]{64}\b", re.sub(r"<details.*?</details>", "", content, flags=re.DOTALL))
    assert len(re.findall(r"\b[0-9a-f]{64}\b", content)) >= 6


def test_no_number_is_written_for_machines(page):
    for section, text in page.text.items():
        words = re.sub(r"\b[0-9a-f]{64}\b", "", text.split("}\n")[-1] if not section else text)
        assert not re.search(r"\d[eE][-+]?\d", words)


def kept(variant):
    """What a recipe keeps of a variant's F1."""
    figures = {"precision": 0.5, "recall": 0.25, "f1": 0.375}
    rows = [{"label": label, "threshold": 0.3, **figures, "support": 1234} for label in LABELS]
    found = {"variant": variant, "sha256": HASHES[variant], "data": "Own", "split": "test", "texts": 5427}
    return found | {"labels": rows, "macro": figures, "weighted": figures, "flips_from_fp32": 0.03}


@pytest.mark.parametrize(("variants", "first"), [(("fp32", "int8"), "int8"), (("fp32",), "fp32")])
def test_the_labels_of_the_first_variant_that_has_figures_are_unfolded(tmp_path, variants, first):
    described = pages.described() | {"evaluations": list(map(kept, variants)), "data": {"name": "Own"}}
    page = report.render(described, pages.files(), tmp_path)
    assert re.findall(r"<details open><summary>(.*?)</summary>", page) == [f"{first}, by label"]


def test_kept_figures_are_shown_without_the_data(tmp_path):
    described = pages.described() | {
        "evaluations": [kept("int8")],
        "speed": pages.SPEED,
        "data": {"name": "Own"},
    }
    page = Page(report.render(described, pages.files(), tmp_path))
    assert ["joy", "1,234", "0.375", "0.500", "0.250", "0.3"] in page.rows
    assert ["int8", *["0.375", "0.500", "0.250"] * 2] in page.rows
    assert "5,427 texts of the test split" in page.text["metrics"]
    assert page.rows[:2] == [
        ["variant", "checks", "size", "macro-F1", "other labels,of 5,427 texts", "texts/s", "file"],
        ["int8", "FAILED", "24 MB", "0.375", "163 (3.0 %)", "583", "onnx/model_quantized.onnx"],
    ]
    shown = " ".join(page.text[""].split())
    assert "2 threads, A <CPU>; int8 takes 4.2 ms for a text alone on 1 thread." in shown
    assert not {"curves", "reliability"} & set(page.text)


def test_what_rests_on_few_texts_is_faded(tmp_path):
    truth = np.ones((60, 3), bool)
    scores = np.repeat(np.array([0.05] * 40 + [0.55] * 15 + [0.95] * 5, np.float32)[:, None], 3, axis=1)
    found = Evaluation("Own", None, [{"variant": "int8", "protocols": {}}], {"int8": scores}, truth)
    plot = str(plots.per_label(found, LABELS, THRESHOLDS, MULTI_LABEL)[0]["reliability"])
    assert plot.count('<circle class="dot v0"') == 2
    assert plot.count('<circle class="dot v0 few"') == 1
    assert plot.count('<path class="line v0"') == plot.count('<path class="line v0 few"') == 1


def test_the_largest_changes_have_one_row_a_text_and_sentences_first(tmp_path):
    described = pages.described()
    parity = described["variants"][1]["parity"]

    def row(place, change, natural, flipped=False, label="joy"):
        text = f"text {place} " + "sad " * 100
        moved = {"probability": 0.5 + change, "reference": 0.5, "threshold": 0.5, "flipped": flipped}
        more = {
            "text": text[:200],
            "place": place,
            "characters": len(text),
            "natural": natural,
            "label": label,
        }
        return {**more, **moved}

    parity["worst"] = [row(1, 0.4, False), row(2, 0.2, True), row(3, 0.1, True)]
    parity["worst_flips"] = [row(3, -0.05, True, True, "admiration"), row(4, -0.02, True, True, "admiration")]
    page = Page(report.render(described, pages.files(), tmp_path))
    rows = [found for found in page.rows if found[0].startswith("text ")]
    assert [found[0].split()[1] for found in rows] == ["2", "3", "4", "1"]
    # Of a text with other labels the largest change as well, and the label in which they differ.
    assert rows[1][1:] == ["other: admiration", "+0.100", "joy", "0.500", "0.600", "0.5"]
    assert rows[2][1:] == ["other: admiration", "−0.020", "admiration", "0.500", "0.480", "0.5"]
    assert rows[3][1:3] == ["same", "+0.400"]
    assert rows[0][0].endswith("… (407 characters)")
    # As manifests of before had them.
    for old in (*parity["worst"], *parity["worst_flips"]):
        for key in ("place", "characters", "natural"):
            del old[key]
        old["text"] = f"{old['text'][:7]} whole"
    page = Page(report.render(described, pages.files(), tmp_path))
    assert [found[0] for found in page.rows if found[1:2] in (["same"], ["other: admiration"])] == [
        "text 1  whole",
        "text 2  whole",
        "text 3  whole",
        "text 4  whole",
    ]


def test_texts_that_are_the_same_to_the_tokenizer_share_a_row(tmp_path):
    described = pages.described()
    moved = [pages.change(text, "joy", False, place) for place, text in enumerate(["🙏", "😀", "a", "😂"])]
    moved[2]["probability"] = 0.5
    described["variants"][1]["parity"] |= {"worst": [row | {"natural": False} for row in moved]}
    described["variants"][1]["parity"]["worst_flips"] = []
    page = Page(report.render(described, pages.files(), tmp_path))
    rows = [found[0] for found in page.rows if found[1:2] == ["same"]]
    assert rows == ["a", "🙏and 2 like it"]


def test_what_was_measured_on_other_graphs_is_left_out(tmp_path):
    pages.evaluate(tmp_path, {**HASHES, "fp32": "9" * 64})
    pages.benchmark(tmp_path, {"fp32": 1, "int8": 24_000_000})
    page = Page(report.render(pages.described(), pages.files(), tmp_path))
    assert "int8, by label" in page.text["metrics"]
    assert "fp32, by label" not in page.text["metrics"]
    assert "benchmark" not in page.text
    pages.evaluate(tmp_path, {"fp32": "8" * 64, "int8": "9" * 64})
    page = Page(report.render(pages.described(), pages.files(), tmp_path))
    assert "metrics" not in page.text


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
