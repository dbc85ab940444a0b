"""exits: every process lived as long as the scenario wanted it to, and ended as a healthy process does."""

from __future__ import annotations

from testbed.check.evidence import Evidence, ProcessExit
from testbed.check.result import CheckResult
from testbed.check.rules import Rules, judge_value

# Nobody sends these to end a process: it did something wrong by itself.
CRASH_SIGNALS = frozenset({"SIGSEGV", "SIGABRT", "SIGBUS", "SIGILL", "SIGFPE", "SIGTRAP", "SIGSYS"})


def _after(evidence: Evidence, t: int) -> str:
    return f"{(t - evidence.steps_start) / 1e9:.3f} s after the first step"


def wrong_with(evidence: Evidence, end: ProcessExit) -> str:
    """What is wrong with this end, empty when nothing is."""
    who = f"{end.actor} (pid {end.pid})"
    if not end.expected:
        return f"{who} ended with {end.status}, {_after(evidence, end.t)}, and nobody had asked it to"
    if end.status in CRASH_SIGNALS:
        return f"{who} crashed with {end.status} when it was asked to end, {_after(evidence, end.t)}"
    if end.status.startswith("exit ") and end.status != "exit 0":
        return f"{who} ended with {end.status} instead of exit 0, {_after(evidence, end.t)}"
    return ""


def check(evidence: Evidence, rules: Rules) -> list[CheckResult]:
    """Always on: `deaths`."""
    wrong = [reason for end in evidence.exits if (reason := wrong_with(evidence, end))]
    finding = judge_value("deaths", len(wrong), rules.allowed("deaths"), "; ".join(wrong))
    return [CheckResult("exits", "processes", (finding,), {"ended": len(evidence.exits), "wrongly": wrong})]
