"""junit.xml: one test suite for each cell, one test case for each check.

`unknown` is written as an error and `failed` as a failure: every consumer of the format turns red on both and shows them
apart. Announced failures and cells that were not run are `skipped`, by name.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

from testbed.report.model import Cell, Check, RunReport, Skipped

# Characters that XML 1.0 cannot hold in any form (a console's last lines may bring them).
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)


def cell_name(matrix: dict[str, object]) -> str:
    return ",".join(f"{key}={value}" for key, value in matrix.items()) or "only cell"


def _case(
    suite: ElementTree.Element, report: RunReport, name: str, seconds: float = 0.0
) -> ElementTree.Element:
    classname = _clean(f"{report.scenario}.{suite.get('name')}")
    return ElementTree.SubElement(
        suite, "testcase", {"classname": classname, "name": _clean(name), "time": f"{seconds:.3f}"}
    )


def _check(suite: ElementTree.Element, report: RunReport, check: Check) -> None:
    case = _case(suite, report, f"{check.checker} {check.subject}")
    if check.verdict == "passed":
        return
    if check.known and check.verdict == "failed":
        ElementTree.SubElement(case, "skipped", {"message": _clean(f"known failure: {check.known}")})
        return
    tag = "failure" if check.verdict == "failed" else "error"
    problem = ElementTree.SubElement(case, tag, {"message": _clean(check.reason), "type": check.verdict})
    lines = [f"{f.rule}: measured {f.measured}, expected {f.expected or '-'}" for f in check.findings]
    problem.text = _clean("\n".join(lines))


def _suite(root: ElementTree.Element, name: str, seconds: float) -> ElementTree.Element:
    return ElementTree.SubElement(root, "testsuite", {"name": _clean(name), "time": f"{seconds:.3f}"})


def _cell(root: ElementTree.Element, report: RunReport, cell: Cell) -> None:
    suite = _suite(root, cell_name(cell.matrix), cell.duration_s)
    for check in cell.checks:
        _check(suite, report, check)


def _skipped(root: ElementTree.Element, report: RunReport, entry: Skipped) -> None:
    suite = _suite(root, cell_name(entry.matrix), 0.0)
    ElementTree.SubElement(_case(suite, report, "cell"), "skipped", {"message": _clean(entry.reason)})


def _count(element: ElementTree.Element) -> None:
    for attribute, tag in (
        ("tests", "testcase"),
        ("failures", "failure"),
        ("errors", "error"),
        ("skipped", "skipped"),
    ):
        element.set(attribute, str(sum(1 for _ in element.iter(tag))))


def junit_xml(report: RunReport) -> str:
    root = ElementTree.Element(
        "testsuites", {"name": _clean(report.scenario), "time": f"{report.duration_s:.3f}"}
    )
    for cell in report.cells:
        _cell(root, report, cell)
    for entry in report.skipped:
        _skipped(root, report, entry)
    for element in (root, *root):
        _count(element)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"
