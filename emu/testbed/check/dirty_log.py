"""dirty_log: while a backend is to log, every page that it wrote is in the log; while it is not, none is. Always on for
driver guests whose log a step switched on.

incomplete  pages that changed, or that the device said it wrote (buffers, used ring, descriptors it marked used), and that
            the log does not name
event_words pages that it does not name and that hold the device's event words of a packed ring: memory that a migration
            leaves behind as well, of less weight
unasked     pages that were logged while logging was off
beside      writes to the log's descriptor outside of the bitmap

Pages named and not written cost a migration time, and are only measured. A backend that died between writing and logging
broke no promise: where the session ended since the snapshot nothing is said.
"""

from __future__ import annotations

from testbed.check.evidence import Document, Evidence, LogLook
from testbed.check.result import CheckResult, Finding, failed, passed, unknown
from testbed.check.rules import Rules, judge_value
from testbed.check.topology import lost_session

_SHOWN = 8


def check(evidence: Evidence, rules: Rules) -> list[CheckResult]:
    guests = dict.fromkeys(look.frontend for look in evidence.logs)
    results = [_check_guest(evidence, guest, rules) for guest in guests]
    if rules.written("dirty_log") and not results:
        finding = unknown("incomplete", "no step switched a log on, or the run ended before")
        return [CheckResult("dirty_log", "log", (finding,))]
    return results


def _check_guest(evidence: Evidence, guest: str, rules: Rules) -> CheckResult:
    looks = [look for look in evidence.logs if look.frontend == guest]
    on = [look for look in looks if look.on and not look.blind and not lost_session(evidence, look)]
    off = [look for look in looks if not look.on and not look.blind]
    findings = [
        *_blind(looks),
        _incomplete(guest, on, rules),
        _event_words(guest, on, rules),
        _unasked(guest, off, rules),
        _beside(guest, looks),
    ]
    return CheckResult("dirty_log", guest, tuple(findings), _measured(on, off))


def _blind(looks: list[LogLook]) -> list[Finding]:
    return [
        unknown("read", f"the log of {look.frontend} could not be read ({look.why}): {look.blind}")
        for look in looks
        if look.blind
    ][:1]


def _incomplete(guest: str, looks: list[LogLook], rules: Rules) -> Finding:
    if not any(look.written for look in looks):
        reason = f"nothing was written to {guest}'s memory while it was logged, so its log shows nothing"
        return unknown("incomplete", reason)
    number = sum(look.missing_pages for look in looks)
    worst = max(looks, key=lambda look: look.missing_pages)
    reason = (
        f"{number} pages of {guest} were written and not logged, first ({worst.why}): {_pages(worst.missing)}"
    )
    return judge_value("incomplete", number, rules.allowed("incomplete", frontend=guest), reason)


def _event_words(guest: str, looks: list[LogLook], rules: Rules) -> Finding:
    number = sum(look.event_words for look in looks)
    reason = (
        f"{number} times the device wrote event words of a packed ring of {guest} and did not log their page"
    )
    return judge_value("event_words", number, rules.allowed("event_words", frontend=guest), reason)


def _unasked(guest: str, looks: list[LogLook], rules: Rules) -> Finding:
    number = sum(look.logged for look in looks)
    first = next((look for look in looks if look.logged), None)
    reason = f"{number} pages of {guest} were logged while logging was off" + (
        f" ({first.why}): {_pages(first.named)}" if first else ""
    )
    return judge_value("unasked", number, rules.allowed("unasked", frontend=guest), reason)


def _beside(guest: str, looks: list[LogLook]) -> Finding:
    if any(look.strayed for look in looks):
        return failed("beside", f"somebody wrote to the log of {guest} outside of its bitmap", True, "false")
    return passed("beside", False, "false")


def _pages(pages: tuple[int, ...]) -> str:
    more = ", ..." if len(pages) > _SHOWN else ""
    return ", ".join(f"{page:#x}" for page in pages[:_SHOWN]) + more


def _measured(on: list[LogLook], off: list[LogLook]) -> Document:
    return {
        "looks": len(on),
        "written": sum(look.written for look in on),
        "logged": sum(look.logged for look in on),
        "missing": sum(look.missing_pages for look in on),
        "event_words": sum(look.event_words for look in on),
        "looks_off": len(off),
        "unasked": sum(look.logged for look in off),
    }
