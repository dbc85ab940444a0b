"""A finding: the shortest case that is known to break something, as a scenario file that replays it."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML

from testbed.fuzz import topology
from testbed.fuzz.grammar import ATTACKER, Document, Profile, Steps
from testbed.fuzz.oracle import Violation
from testbed.scenario.topology import Datapath

# What leaks by one descriptor or mapping shows when it has happened more often than a checker tolerates.
LEAKS, LEAK_TIMES = ("leak", "mappings"), 20
_BROKEN = {
    "died": "the backend dies",
    "mute": "the backend leaves other ports without an answer",
    "stalled": "the victims' packets stop",
    "harmed": "the victims lose packets or get wrong ones",
    "stray": "another guest's memory is written",
    "leak": "the backend keeps descriptors that it should have closed",
    "mappings": "the backend keeps memory mapped that is no longer its own",
    "unusable": "the port serves nobody any more",
    "driver": "the driver that attacks dies",
}
HEADER = 12  # of a packet, octets (virtio 1.2, 5.1.6)
# Steps that lead to the place and break nothing: every case has them.
_PLAIN = frozenset({"handshake", "run", "connect", "kick", "hang_up"})


@dataclass(frozen=True)
class Finding:
    violation: Violation
    profile: Profile
    steps: Steps
    case: int  # which of the run's
    reproduced: bool
    datapath: Datapath | None = None

    @property
    def about(self) -> str:
        return f"Nobody but the attacker notices. (Found by fuzzing: {_BROKEN[self.violation.kind]}.)"


def scenario_text(finding: Finding, name: str, seed: int) -> str:
    """The file."""
    steps = finding.steps
    if not steps or "handshake" not in steps[0]:
        steps = [{"connect": ATTACKER}, *steps]
    if finding.violation.kind in LEAKS:
        once = [*steps, {"hang_up": ATTACKER}, *topology.new_guest()]
        steps = [{"repeat": {"times": LEAK_TIMES, "steps": once}}]
    head = (
        f"# Found by `testbed fuzz --seed {seed}`, case {finding.case}, the attacker being: {finding.profile.name}.\n"
        f"# {finding.violation.kind}: {finding.violation.detail}\n"
    )
    document = topology.document(name, finding.about, finding.profile, steps, finding.datapath)
    yaml = YAML()
    yaml.width = 120
    yaml.default_flow_style = None
    text = io.StringIO()
    yaml.dump(document, text)
    return head + text.getvalue()


def write(finding: Finding, directory: Path, name: str, seed: int) -> Path:
    path = directory / f"{name}.yaml"
    path.write_text(scenario_text(finding, name, seed))
    return path


def shapes(steps: Steps) -> frozenset[str]:
    """What is odd about a case, without its values: enough to tell that another case is about the same."""
    return frozenset(shape for step in steps for shape in _shapes(step))


def _shapes(step: Document) -> list[str]:
    kind, body = next(iter(step.items()))
    if kind in _PLAIN or not isinstance(body, dict):
        return []
    if kind == "send":
        return _of_message(body)
    if kind == "chain":
        odd = [key for key in ("head", "avail_index", "exact_flags") if key in body]
        if not body["queue"] % 2 and int(body["descriptors"][0].get("len", 0)) < HEADER:
            odd.append("runt")
        flags = sorted({key for one in body["descriptors"] for key in one if key not in ("addr", "len")})
        return [
            f"chain on {'sends' if body['queue'] % 2 else 'receives'}",
            *(f"chain {key}" for key in odd + flags),
        ]
    return [kind]


def _of_message(body: Document) -> list[str]:
    for key in ("cut", "bytes"):
        if key in body:
            return [f"send {key}"]
    payload = body.get("payload")
    keys = sorted(payload) if isinstance(payload, dict) else ["payload"] if payload is not None else []
    said = [*keys, *(key for key in ("fds", "flags", "size") if key in body)]
    return [f"send {body['message']}", *(f"send {body['message']} {key}" for key in said)]
