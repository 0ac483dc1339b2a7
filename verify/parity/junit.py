"""Checks, and how CI servers want to read them: JUnit XML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from verify.escape import visible


@dataclass(frozen=True)
class Check:
    """One check of one subject (a variant, or the tokenizer); `failure` says what is wrong, if anything."""

    subject: str
    name: str
    failure: str | None


def xml(suite: str, checks: Sequence[Check]) -> str:
    """Return JUnit XML: one test case a check."""
    counts = {
        "tests": str(len(checks)),
        "failures": str(sum(check.failure is not None for check in checks)),
        "errors": "0",
    }
    root = ElementTree.Element("testsuites", counts)
    listed = ElementTree.SubElement(root, "testsuite", {"name": visible(suite), **counts})
    for check in checks:
        names = {"classname": f"{visible(suite)}.{visible(check.subject)}", "name": visible(check.name)}
        case = ElementTree.SubElement(listed, "testcase", names)
        if check.failure is not None:
            sentence = visible(check.failure)
            failure = ElementTree.SubElement(case, "failure", {"message": sentence, "type": "GateError"})
            failure.text = sentence
    ElementTree.indent(root)
    body = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'
