"""Nothing that a recipe or a head says acts in a card: no HTML, no link, no heading, no row of its own."""

from __future__ import annotations

import re

import pytest

from core import recipe as recipes
from tests.support import pages
from tests.support.places import DEFAULT
from verify import escape
from verify.report import card

HOSTILE = "\n# Free <script>alert(1)</script> [x](javascript:y) | `z` \\ &amp; \x1b[2J\u2028\ud800"


def test_a_card_of_hostile_labels():
    described = pages.described()
    thresholds = dict(described["head"]["thresholds"])
    thresholds[HOSTILE] = thresholds.pop(next(iter(thresholds)))
    head = {**described["head"], "thresholds": thresholds, "source": f"path:`a`{HOSTILE}", "reason": HOSTILE}
    said = {"head": head, "evaluations": [], "data": None, "text": None, "reference": HOSTILE}
    recipe = recipes.load(DEFAULT)
    shown = card.render(recipe, {**described, **said})
    plain = card.render(recipe, {**described, "evaluations": [], "data": None, "text": None})
    assert [line for line in shown.splitlines() if line.startswith("#")] == [
        line for line in plain.splitlines() if line.startswith("#")
    ]
    assert shown.count("\n| ") == plain.count("\n| ")
    # In code nothing acts.
    body = re.sub(r"(`+) .*? \1", "", shown.split("\n---\n", 1)[1])
    assert "\\<script>" in body
    assert not any(found in body.replace("\\<", "").replace("\\[", "") for found in ("<script", "[x]("))
    assert "\x1b" not in shown
    assert "\\x1b" in shown
    shown.encode("utf-8")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("joy", "joy"),
        ("C++ & very_happy (2.0)!", "C++ \\& very_happy (2.0)!"),
        ("# a", "\\# a"),
        ("- a", "\\- a"),
        ("> a", "\\> a"),
        ("a\n\n# b", "a # b"),
        ("<b>|`[x](y)", "\\<b>\\|\\`\\[x\\](y)"),
    ],
)
def test_a_line_of_markdown(text, shown):
    assert escape.inline(text) == shown


@pytest.mark.parametrize(("text", "shown"), [("a", "`a`"), ("a`b", "`` a`b ``"), ("```\n", "```` ```  ````")])
def test_code_of_markdown(text, shown):
    assert escape.code(text) == shown


def test_a_line_for_a_terminal():
    assert escape.line("a\n\x1b[2J\x9b\u202e\ud800é") == "a \\x1b[2J\\x9b\\u202e\\ud800é"
