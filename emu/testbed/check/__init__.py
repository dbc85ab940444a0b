"""Checkers: pure functions of the evidence that a run left behind.

result = judge(evidence)      # one cell
result.verdict, result.reason, result.checks
"""

from testbed.check.evidence import Evidence
from testbed.check.judge import judge
from testbed.check.result import CellResult, CheckResult, Finding, Verdict, worst

__all__ = ["CellResult", "CheckResult", "Evidence", "Finding", "Verdict", "judge", "worst"]
