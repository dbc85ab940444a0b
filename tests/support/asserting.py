"""What tests of checkers ask of a judged cell."""

from __future__ import annotations

from testbed.check import CellResult, CheckResult, Evidence, Finding, judge


def result(cell: CellResult, checker: str, subject: str = "") -> CheckResult:
    found = [check for check in cell.checks if check.checker == checker and subject in ("", check.subject)]
    assert found, f"no result of {checker} {subject} in {[(c.checker, c.subject) for c in cell.checks]}"
    return found[0]


def finding(evidence: Evidence, checker: str, subject: str, rule: str) -> Finding:
    findings = result(judge(evidence), checker, subject).findings
    found = [finding for finding in findings if finding.rule == rule]
    assert found, f"no rule {rule} in {[finding.rule for finding in findings]}"
    return found[0]


def only_culprit(evidence: Evidence, checker: str, verdict: str = "failed") -> CheckResult:
    """The one check that does not pass: a broken thing must be noticed, and nothing else blamed for it."""
    cell = judge(evidence)
    bad = [check for check in cell.checks if check.verdict != "passed"]
    assert [(check.checker, check.verdict) for check in bad] == [(checker, verdict)], [
        (check.checker, check.subject, check.reason) for check in bad
    ]
    assert cell.verdict == verdict
    assert bad[0].reason
    return bad[0]
