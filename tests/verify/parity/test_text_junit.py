"""Hostile texts in XML, Markdown and on the page."""

from __future__ import annotations

from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from verify.escape import cell, shortened, visible
from verify.parity.check import Check, junit_xml

# Everything, lone surrogates and control characters included.
ANYTHING = st.text(st.characters(codec=None, exclude_categories=()), max_size=30)


@given(ANYTHING, ANYTHING, ANYTHING)
def test_junit_of_any_text_is_xml_that_holds_it(suite, subject, message):
    content = junit_xml(
        suite, [Check(subject, "flip_rate", message), Check("b", "c", None)], {"cpu": message}
    )
    root = ElementTree.fromstring(content.encode("utf-8"))
    assert root.attrib == {"tests": "2", "failures": "1", "errors": "0"}
    (stated,) = root.iter("property")
    assert stated.attrib == {"name": "cpu", "value": visible(message)}
    failed, passed = root.iter("testcase")
    assert failed.find("failure").get("message") == visible(message)
    assert failed.get("classname") == f"{visible(suite)}.{visible(subject)}"
    assert passed.find("failure") is None


def test_what_xml_forbids_is_escaped_and_the_rest_is_not():
    assert visible("a\x00b\x1b\x7f\x85\ud800\ufffe") == "a\\x00b\\x1b\\x7f\\x85\\ud800\\ufffe"
    assert visible("tab\tline\n<b>&amp; 👍🏽 \u200d \u202e") == "tab\tline\n<b>&amp; 👍🏽 \u200d \u202e"


def test_a_cell_keeps_its_row():
    assert cell("a|b\nc\x00") == "a\\|b c\\x00"


def test_a_long_text_says_how_long_it_was():
    assert shortened("sad " * 2000, 8) == "sad sad … (8,000 characters)"
    assert shortened("sad", 3) == "sad"
