"""What a checker says.

A checker looks at one subject (a flow, a guest, a switch...) and holds it against rules. Every rule is one Finding; the
findings of one checker on one subject make a CheckResult, whose verdict is the worst of theirs; the results of a cell
make its verdict in the same way. `failed` is worse than `unknown`: a broken promise stays one, whatever else could not
be seen. Nothing is `passed` by default: no findings at all are `unknown`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

Verdict = Literal["passed", "unknown", "failed"]
Document = dict[str, Any]

_SEVERITY: dict[Verdict, int] = {"passed": 0, "unknown": 1, "failed": 2}


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of several verdicts; of none at all: unknown."""
    return max(verdicts, key=_SEVERITY.__getitem__, default="unknown")


@dataclass(frozen=True)
class Finding:
    """One rule, what it asked for and what was seen. `reason` is one sentence, empty when the rule holds."""

    rule: str  # the key of the language: outage, duplicated, fds...
    verdict: Verdict
    measured: Any = None
    expected: str = ""
    reason: str = ""


@dataclass(frozen=True)
class CheckResult:
    """What one checker says about one subject."""

    checker: (
        str  # flow, progress, conserved, guest, leaks, untouched, queues, answering, exits, event, counter...
    )
    subject: str  # the flow, guest, actor, port... it was about
    findings: tuple[Finding, ...]
    measured: Document = field(default_factory=dict)
    known: str = ""  # not empty: the failure was announced by `known`, and this is its `because`

    @property
    def verdict(self) -> Verdict:
        return worst(finding.verdict for finding in self.findings)

    @property
    def counts_as(self) -> Verdict:
        """The verdict as the cell takes it: an announced failure does not make the cell fail."""
        return "passed" if self.known and self.verdict == "failed" else self.verdict

    @property
    def reason(self) -> str:
        """Why it did not pass, the worst first; one sentence for each rule that does not hold."""
        bad = [finding for finding in self.findings if finding.verdict != "passed"]
        bad.sort(key=lambda finding: -_SEVERITY[finding.verdict])
        if not self.findings:
            return "nothing was checked"
        return "; ".join(finding.reason or f"{finding.rule} {finding.verdict}" for finding in bad)

    @property
    def expected(self) -> dict[str, str]:
        return {finding.rule: finding.expected for finding in self.findings if finding.expected}

    @property
    def broken(self) -> tuple[str, ...]:
        """Names of the rules that failed."""
        return tuple(finding.rule for finding in self.findings if finding.verdict == "failed")


@dataclass(frozen=True)
class CellResult:
    """The judgement of one cell of the matrix."""

    cell: Document
    checks: tuple[CheckResult, ...]
    duration_s: float
    anatomies: tuple[Document, ...] = ()  # one for each outage of each flow: check/anatomy.py

    @property
    def verdict(self) -> Verdict:
        return worst(check.counts_as for check in self.checks)

    @property
    def reason(self) -> str:
        """Of the first check that did not pass, the failed ones first; empty when all did."""
        bad = [check for check in self.checks if check.counts_as != "passed"]
        bad.sort(key=lambda check: -_SEVERITY[check.counts_as])
        return f"{bad[0].checker} {bad[0].subject}: {bad[0].reason}" if bad else ""


def passed(rule: str, measured: Any = None, expected: str = "") -> Finding:
    return Finding(rule, "passed", measured, expected)


def failed(rule: str, reason: str, measured: Any = None, expected: str = "") -> Finding:
    return Finding(rule, "failed", measured, expected, reason)


def unknown(rule: str, reason: str, measured: Any = None, expected: str = "") -> Finding:
    return Finding(rule, "unknown", measured, expected, reason)
