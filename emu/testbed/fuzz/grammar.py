"""Cases: what one hostile session does, as steps of the scenario language. A case is found, shrunk and kept in that form.

    handshake, whole or up to some message   ->   some messages and some chains   ->   (the caller hangs up)

Most of what is wrong lies behind a legal prefix: a backend has no rings to read before the handshake is complete, and
no memory to map before it has a table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from testbed.fuzz import messages, rings, sequences
from testbed.fuzz.dice import Dice

Document = dict[str, Any]
Steps = list[Document]

ATTACKER = "attacker"
_LONGEST = 12  # parts after the prefix
_STOPS = ("GET_FEATURES", "SET_OWNER", "SET_FEATURES", "SET_MEM_TABLE", "SET_VRING_NUM", "SET_VRING_ADDR")


@dataclass(frozen=True)
class Profile:
    """The kind of guest that attacks: its frontend's options, in the words of the language."""

    name: str
    options: Document

    @property
    def packed(self) -> bool:
        return self.options.get("ring") == "packed"

    @property
    def size(self) -> int:
        return int(self.options.get("size", 256))


PROFILES = (
    Profile("split", {"size": 16}),
    Profile("packed", {"ring": "packed", "size": 64}),
    Profile("split, not mergeable", {"size": 64, "mergeable": False, "indirect": False}),
    Profile("packed, in order", {"ring": "packed", "size": 256, "in_order": True}),
    Profile("split, event idx", {"size": 256, "event_idx": True, "need_reply": False}),
)


def case(seed: int, number: int, profile: Profile) -> Steps:
    dice = Dice(seed, number, profile.name)
    steps = _prefix(dice)
    rings_there = bool(steps) and "stop_after" not in steps[0]["handshake"]
    if rings_there and dice.one_in(3):
        steps.append({"virtqueue": {"on": ATTACKER, "queue": 0, "posting": False}})
        steps.append({"run": "15ms"})  # buffers of its own are used up, and those of chains come next
    for _ in range(dice.between(1, dice.choose((2, 4, _LONGEST)))):
        steps += _part(dice, profile, rings_there)
    if rings_there and any("chain" in step for step in steps):
        steps.append({"run": "5ms"})
    return steps


def _prefix(dice: Dice) -> Steps:
    match dice.between(0, 9):
        case 0:
            return []
        case 1 | 2:
            stop = dice.choose(_STOPS) if dice.one_in(2) else dice.between(1, 16)
            return [{"handshake": {"on": ATTACKER, "stop_after": stop, "expect": "any"}}]
        case _:
            return [{"handshake": {"on": ATTACKER, "expect": "any"}}]


def _part(dice: Dice, profile: Profile, rings_there: bool) -> Steps:
    if not rings_there:
        if dice.one_in(8):
            return [{"handshake": {"on": ATTACKER, "expect": "any"}}]
        return [messages.message(dice, ATTACKER)]
    match dice.between(0, 9):
        case 0 | 1 | 2:
            return [messages.message(dice, ATTACKER)]
        case 3 | 4:
            return sequences.sequence(dice, ATTACKER)
        case 5 | 6 | 7:
            return rings.chain(dice, ATTACKER, profile.packed, profile.size)
        case 8:
            return rings.disturbance(dice, ATTACKER)
        case _:
            restart = {"on": ATTACKER, "fresh": dice.one_in(2)}
            return [{"rings": restart}] if dice.one_in(2) else [{"run": "2ms"}]
