"""rings: on a driver's virtqueues a backend did nothing that no device may do. Always on where there are drivers.

ring_faults    chains returned that were not out, or returned twice; more octets than a chain holds; receive chains shorter
               than the header, longer than the guest takes, with offload fields nobody negotiated; a ring that stopped
               elsewhere than behind its last chain, or was written after that, or gave chains back while disabled;
               many more interrupts than chains that came back
corrupted_rx   damaged probe frames of no flow that is expected at that end

Not judged are virtqueues that steps write to by hand: what comes back there is the answer to what stood in them. And
`num_buffers` 0 without VIRTIO_NET_F_MRG_RXBUF is only measured on librte_vhost: virtio 1.2, 5.1.6.4.1 wants 1, drivers
have to ignore it, and that library has never written it.
"""

from __future__ import annotations

from collections import Counter

from testbed.check.evidence import Document, Evidence, PagesLook
from testbed.check.result import CheckResult, Finding, passed, unknown
from testbed.check.rules import Rules, judge_value
from testbed.check.topology import by_hand, frontends_of, walked_by

_SPURIOUS = 64  # calls without a chain, for each session and each start of the rings
_TEXTS = {
    "unknown_id": "chains were returned that were not out",
    "overrun": "times more chains were returned than were out",
    "long_length": "chains were returned with more octets than they hold",
    "short_chain": "receive chains were shorter than the header",
    "bad_buffers": "receive chains had a num_buffers that cannot be",
    "too_long": "frames were longer than the guest takes",
    "gso": "receive headers named an offload that nobody negotiated",
    "wrong_base": "times GET_VRING_BASE named another place than behind the last chain given back",
    "after_stop": "octets of a ring were written after GET_VRING_BASE was answered",
    "needless_calls": "interrupts came for nothing",
    "on_disabled": "times chains were given back on a receive queue that was disabled",
}


def check(evidence: Evidence, rules: Rules) -> list[CheckResult]:
    results = [
        _check_driver(evidence, name, spec, rules)
        for name, spec in frontends_of(evidence.topology).items()
        if spec.get("type") == "driver" and any(look.frontend == name for look in evidence.pages)
    ]
    return [*results, *_corrupted(evidence, rules)]


def _check_driver(evidence: Evidence, frontend: str, spec: Document, rules: Rules) -> CheckResult:
    seen = [look for look in evidence.pages if look.frontend == frontend and look.diff is not None]
    if not seen:
        finding = unknown("ring_faults", f"nobody could ask {frontend} about its virtqueues")
        return CheckResult("rings", frontend, (finding,))
    counted, places = _counted(seen)
    counted["needless_calls"], places["needless_calls"] = _needless_calls(evidence, frontend, seen)
    if by_hand(evidence, frontend):
        finding = passed("ring_faults", "not asked: steps wrote to its virtqueues by hand")
        return CheckResult("rings", frontend, (finding,), dict(counted))
    judged = {fault: n for fault, n in counted.items() if not _usual(evidence, frontend, spec, fault)}
    told = [f"{n} {_TEXTS.get(fault, fault)} (virtqueue {places[fault]})" for fault, n in judged.items() if n]
    allowed = rules.allowed("ring_faults", frontend=frontend)
    finding = judge_value("ring_faults", sum(judged.values()), allowed, f"{frontend}: {'; '.join(told)}")
    return CheckResult("rings", frontend, (finding,), dict(counted))


def _needless_calls(evidence: Evidence, frontend: str, looks: list[PagesLook]) -> tuple[int, int]:
    """On the virtqueue that had the most, and which that is. Interrupts may be spurious (virtio 1.2, 2.7.7.2), and a backend
    calls when a ring starts. A storm is another thing: it costs the guest a CPU."""
    events = sum(event.name == "driver.up" and event.actor == frontend for event in evidence.events)
    events += sum(fault.kind == "rings" and frontend in fault.targets for fault in evidence.faults)
    granted = _SPURIOUS * (events + 1)
    excess = [
        (int(ring["calls"]) - int(ring["taken"]) - granted, int(ring["vring"]))
        for look in {look.life: look for look in looks if look.rings}.values()
        for ring in look.rings
        if "calls" in ring
    ]
    most, vring = max(excess, default=(0, 0))
    return max(0, most), vring


def _counted(looks: list[PagesLook]) -> tuple[Counter[str], dict[str, int]]:
    """Faults of all lives, from the last look at each; and a virtqueue where each was seen."""
    counted: Counter[str] = Counter()
    places: dict[str, int] = {}
    for look in {look.life: look for look in looks if look.rings}.values():
        for ring in look.rings:
            for fault, number in ring["faults"].items():
                counted[fault] += int(number)
                if number:
                    places.setdefault(fault, int(ring["vring"]))
    return counted, places


def _usual(evidence: Evidence, frontend: str, spec: Document, fault: str) -> bool:
    unwanted = "NET_MRG_RXBUF" in spec.get("without", []) or "MRG_RXBUF" in spec.get("without", [])
    merged = spec.get("mergeable", True) and not unwanted
    return fault == "bad_buffers" and not merged and walked_by(evidence, frontend) == "library"


def _corrupted(evidence: Evidence, rules: Rules) -> list[CheckResult]:
    """Of every frontend that counts it."""
    results = []
    for frontend, status in evidence.endpoints.items():
        if "corrupted_rx" not in status:
            continue
        number = int(status["corrupted_rx"])
        reason = f"{number} damaged frames of no flow that is expected there came to {frontend}"
        finding: Finding = judge_value(
            "corrupted_rx", number, rules.allowed("corrupted", frontend=frontend), reason
        )
        results.append(CheckResult("frames", frontend, (finding,), {"corrupted_rx": number}))
    return results
