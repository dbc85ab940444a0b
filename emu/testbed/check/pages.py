"""pages: what a backend wrote into a guest's memory lies where that guest let it write. Always on where there are driver
frontends, for every one of them, not only for the one that was attacked.

stray       octets that changed outside of every buffer that came back, every buffer still posted, used rings and event
            words: nobody but the guest had business there
unreturned  octets in posted buffers at a quiet moment: the backend lives, has nothing more to do, and never gave them
            back. What a backend leaves behind when it dies is no fault; so nothing is said where the session ended since
            the snapshot.
"""

from __future__ import annotations

from testbed.check.evidence import Document, Evidence, PagesLook
from testbed.check.result import CheckResult, Finding, passed, unknown
from testbed.check.rules import Rules, judge_value
from testbed.check.topology import frontends_of, lost_session

_SHOWN = 3  # stray ranges in a reason
_OCTETS = 16  # of each
_CHAINS = 4


def check(evidence: Evidence, rules: Rules) -> list[CheckResult]:
    return [
        _check_guest(evidence, name, rules)
        for name, spec in frontends_of(evidence.topology).items()
        if spec.get("type") == "driver" and _ran(evidence, name)
    ]


def _ran(evidence: Evidence, frontend: str) -> bool:
    return any(event.name == "process.spawned" and event.actor == frontend for event in evidence.events)


def _check_guest(evidence: Evidence, frontend: str, rules: Rules) -> CheckResult:
    looks = [look for look in evidence.pages if look.frontend == frontend]
    seen = [look for look in looks if look.diff is not None]
    findings = [*_blind(frontend, looks)]
    if seen:
        findings.append(_stray(frontend, seen, rules))
        findings += _unreturned(evidence, frontend, seen, rules)
    return CheckResult("pages", frontend, tuple(findings), _measured(seen))


def _blind(frontend: str, looks: list[PagesLook]) -> list[Finding]:
    """What was never seen cannot be clean."""
    if not looks:
        return [unknown("looked", f"nobody looked at the memory of {frontend}")]
    return [
        unknown("looked", f"the memory of {frontend} could not be seen ({look.why}): {look.missing}")
        for look in looks
        if look.diff is None
    ][:1]


def _stray(frontend: str, looks: list[PagesLook], rules: Rules) -> Finding:
    octets = sum(_stray_octets(look) for look in looks)
    reason = "; ".join(told for look in looks if (told := _tell(frontend, look)))
    return judge_value("stray", octets, rules.allowed("stray", frontend=frontend), reason)


def _stray_octets(look: PagesLook) -> int:
    diff = look.diff or {}
    named = sum(int(range_["length"]) for range_ in diff.get("stray", []))
    return named + max(0, int(diff.get("stray_ranges", 0)) - len(diff.get("stray", [])))


def _tell(frontend: str, look: PagesLook) -> str:
    diff = look.diff or {}
    if not diff.get("stray"):
        return ""
    places = ", ".join(map(_place, diff["stray"][:_SHOWN]))
    more = int(diff["stray_ranges"]) - _SHOWN
    rest = f" and {more} other places" if more > 0 else ""
    return (
        f"written to {frontend}'s memory where nothing was posted ({look.why}): {places}{rest}{_chains(diff)}"
    )


def _place(stray: Document) -> str:
    before, now = (str(stray[key])[: 2 * _OCTETS] for key in ("before", "now"))
    gpa, length, page = int(stray["gpa"]), int(stray["length"]), int(stray["page"])
    return f"{length} octets at {gpa:#x} (page {page:#x}): {before} became {now}"


def _chains(diff: Document) -> str:
    """The last descriptors: those posted by hand before the others, the latest first."""
    latest = [*reversed(diff.get("last", []))]
    latest.sort(key=lambda chain: "posted" not in chain)
    told = ", ".join(list(dict.fromkeys(map(_chain, latest)))[:_CHAINS])
    return f"; last chains: {told}" if told else ""


def _chain(chain: Document) -> str:
    if "posted" in chain:
        parts = " ".join(f"{int(d['addr']):#x}+{d['len']}{_flags(d['flags'])}" for d in chain["posted"])
        return f"virtqueue {chain['vring']} posted {parts}"
    where = f" at {int(chain['addr']):#x}" if "addr" in chain else ""
    return f"virtqueue {chain['vring']} returned {chain['returned']} octets{where}"


def _flags(flags: int) -> str:
    """As in the specification: write, indirect."""
    return ("w" if flags & 2 else "") + ("i" if flags & 4 else "")


def _unreturned(evidence: Evidence, frontend: str, looks: list[PagesLook], rules: Rules) -> list[Finding]:
    judged = [look for look in looks if look.quiet and not lost_session(evidence, look)]
    if not judged:
        return [passed("unreturned", "not asked: its session was not up, or had ended since the snapshot")]
    octets = sum(int((look.diff or {}).get("posted", 0)) for look in judged)
    chains = _chains(judged[-1].diff or {})
    reason = f"{octets} octets were written to buffers of {frontend} that were not given back, when all was silent{chains}"
    return [judge_value("unreturned", octets, rules.allowed("unreturned", frontend=frontend), reason)]


def _measured(looks: list[PagesLook]) -> Document:
    sums = {
        key: sum(int((look.diff or {}).get(key, 0)) for look in looks)
        for key in ("changed", "returned", "posted", "rings")
    }
    stray = [{"why": look.why, **range_} for look in looks for range_ in (look.diff or {}).get("stray", [])]
    return {"looks": len(looks), **sums, "stray": stray[:32]}
