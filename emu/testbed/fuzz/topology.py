"""The world of a fuzz run, and of every file it writes: an attacker, those it must not reach, and somebody who feeds it.

Ports come in pairs (p0 and p1, p2 and p3), each pair on a network of its own: nothing that the attacker sends has any
business with the victims, however much of it there is, and a backend that only forwards from one port to the next will
do as well.
"""

from __future__ import annotations

from dataclasses import dataclass

from testbed.fuzz.grammar import ATTACKER, Document, Profile, Steps
from testbed.run.backends import Backend
from testbed.scenario.load import build
from testbed.scenario.model import Scenario
from testbed.scenario.source import Source
from testbed.scenario.topology import Datapath

HERE, THERE, FEEDER = "here", "there", "feeder"
BYSTANDERS = (HERE, THERE, FEEDER)
_BRICKS = ("home", "pen")
VICTIM_FLOWS = ("victim", "back")
# A second of the victims' packets fits into a ring: a busy machine is no reason to lose one.
_VICTIM = {"type": "driver", "size": 512, "max_frame": 1514, "answer": "2s"}
_MOVING = {"flows": dict.fromkeys(VICTIM_FLOWS, "moving"), "within": "2s"}


@dataclass(frozen=True)
class Target:
    """What is attacked. `datapath`: who walks the rings of our switch; its own choice when None."""

    backend: Backend
    datapath: Datapath | None = None


def document(
    name: str, about: str, profile: Profile, steps: Steps, datapath: Datapath | None = None
) -> Document:
    """A scenario file. `steps` are those between the beginning and the end that all have."""
    return {
        "name": name,
        "about": about,
        "switch": {
            **({"datapath": datapath} if datapath else {}),
            "bricks": {brick: {"type": "switch"} for brick in _BRICKS},
            "ports": {f"p{n}": {"type": "vhost", "role": "server", "to": _BRICKS[n // 2]} for n in range(4)},
        },
        "frontends": {
            HERE: {"port": "p0", **_VICTIM},
            THERE: {"port": "p1", **_VICTIM},
            ATTACKER: {
                "type": "driver",
                "port": "p2",
                "connect": "by hand",
                "answer": "200ms",
                **profile.options,
            },
            FEEDER: {"port": "p3", **_VICTIM},
        },
        "flows": {
            "victim": {"from": HERE, "to": THERE, "rate": "500pps", "size": "64..1500"},
            "back": {"from": THERE, "to": HERE, "rate": "500pps"},
            "bait": {"from": FEEDER, "to": ATTACKER, "rate": "2kpps", "size": 256},
        },
        "steps": [*_beginning(), *steps, *ending()],
        "expect": _expected(),
    }


def _beginning() -> Steps:
    """The bait flow starts, and the attacker is as a new guest is."""
    return [
        {"handshake": ATTACKER},
        {"wait": {"flows": "moving"}},
        {"hang_up": ATTACKER},
        *new_guest(),
    ]


def _expected() -> list[Document]:
    """Of the victims everything; of the attacker nothing: what it does to its own memory and packets is its own affair."""
    own = ("stray", "unreturned", "ring_faults", "incomplete", "event_words", "unasked")
    packets = ("corrupted", "misdelivered", "duplicated")
    because = "the attacker may do what it likes to itself"
    return [
        *({"flow": {"name": flow, "lost": 0}} for flow in VICTIM_FLOWS),
        {"allow": {**dict.fromkeys(own, "any"), "frontends": ATTACKER, "because": because}},
        {"allow": {**dict.fromkeys(packets, "any"), "flows": "bait", "because": because}},
    ]


def new_guest() -> Steps:
    return [
        {"restart": {"target": ATTACKER, "graceful": False}},
        {"wait": {"actors": {ATTACKER: "up"}}},
    ]


def still_served() -> Steps:
    """While the attacker's session lasts: others talk to the backend."""
    return [{"send": {"from": HERE, "message": "GET_FEATURES", "expect": "answered"}}]


def gone() -> Steps:
    return [{"hang_up": ATTACKER}, {"wait": _MOVING}]


def well_behaved() -> Steps:
    """A new guest on the attacked port: everything works."""
    frame = "00" * 12 + "ffffffffffff" + "0200000000ee" + "88b6"
    sent = {"on": ATTACKER, "queue": 1, "data": frame, "descriptors": [{"addr": "buf0", "len": 72}]}
    return [{"handshake": ATTACKER}, {"chain": {**sent, "returned": True, "within": "2s"}}]


def ending() -> Steps:
    """Everybody is connected again at the end, as at the beginning: that is what leaks are measured by."""
    again = {"wait": {"flows": "moving", "within": "5s"}}
    return [*still_served(), *gone(), *new_guest(), *well_behaved(), again]


def scenario(profile: Profile, datapath: Datapath | None) -> Scenario:
    """The same world without any steps, for cases to be played in."""
    world = document("fuzz", "Nobody but the attacker notices.", profile, [], datapath)
    return build(Source("fuzz", world | {"steps": []})).cells[0].scenario
