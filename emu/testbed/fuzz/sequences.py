"""Several messages that belong together, each of them nearly right: what a backend gets wrong only when it believed the
message before. Logging, memory that changes under a ring, rings that are set up again while they run."""

from __future__ import annotations

from typing import Any

from testbed.fuzz import values
from testbed.fuzz.dice import Dice

Document = dict[str, Any]

_MOST_OF_A_GUEST = (0, 4096, 65536, 1 << 20, 4 << 20, 64 << 20)


def sequence(dice: Dice, attacker: str) -> list[Document]:
    make = dice.among({_logging: 3, _memory: 3, _ring_again: 3, _features: 1, _notifier: 1})
    return make(dice, attacker)


def _logging(dice: Dice, attacker: str) -> list[Document]:
    """As a migration begins: a log, features, and writes to be logged."""
    log: Document = {"on": attacker, "do": "on"}
    log["offset"] = dice.choose((0, 4096, 8192, 1 << 19))
    log["size"] = dice.choose((0, 0, 1, 8, 1 << 20))
    steps: list[Document] = [{"log": log}, {"run": "5ms"}]
    if dice.one_in(2):
        size, offset = dice.choose(values.SIZES), dice.choose(values.OFFSETS)
        again = {"from": attacker, "message": "SET_LOG_BASE", "payload": {"size": size, "offset": offset}}
        steps += [{"send": {**again, "fds": [f"memfd {dice.choose((64, 4096, 1 << 20))}"]}}, {"run": "5ms"}]
    if dice.one_in(3):
        steps.append({"log": {"on": attacker, "do": "off"}})
    return steps


def _memory(dice: Dice, attacker: str) -> list[Document]:
    """The table again while rings run: its own regions, in a file that is not theirs, or that shrinks."""
    table = {"from": attacker, "message": "SET_MEM_TABLE"}
    size = dice.choose(_MOST_OF_A_GUEST)
    steps: list[Document] = [{"send": {**table, "fds": [f"memfd {size} as table"]}}]
    if dice.one_in(2):
        shrunk = dice.choose((0, 4096, size // 2))
        steps.append({"resize": {"on": attacker, "fd": "table", "size": shrunk}})
    return [*steps, {"kick": {"on": attacker, "queue": dice.choose((0, 1))}}, {"run": "2ms"}]


def _ring_again(dice: Dice, attacker: str) -> list[Document]:
    """A ring is stopped and set up again, with one thing that is wrong."""
    index = dice.choose((0, 1))
    ring = {"from": attacker, "need_reply": dice.one_in(2)}

    def send(message: str, **fields: int) -> Document:
        return {"send": {**ring, "message": message, "payload": {"index": index, **fields}}}

    steps = [
        send("GET_VRING_BASE"),
        send("SET_VRING_NUM", num=dice.choose((64, 16, *values.RING_SIZES))),
        send("SET_VRING_BASE", num=dice.choose((0, 0, *values.BASES))),
        send("SET_VRING_ADDR", **_address(dice)),
        {"send": {**ring, "message": "SET_VRING_KICK", "payload": {"index": index}, "fds": ["eventfd"]}},
        send("SET_VRING_ENABLE", num=1),
        {"kick": {"on": attacker, "queue": index}},
    ]
    left_out = dice.between(0, 2 * len(steps))
    return [step for place, step in enumerate(steps) if place != left_out]


def _address(dice: Dice) -> Document:
    """Mostly the ring's own places; sometimes one of them somewhere else, or logged somewhere else."""
    match dice.between(0, 5):
        case 0:
            return {"flags": 1, "log": dice.choose(values.ADDRESSES)}
        case 1:
            return {dice.choose(("descriptor", "used", "available")): dice.choose(values.ADDRESSES)}
        case _:
            return {}


def _features(dice: Dice, attacker: str) -> list[Document]:
    """Other features on a session that runs."""
    bits = values.ORDINARY_FEATURES ^ 1 << dice.choose(values.FEATURE_BITS)
    changed = {"from": attacker, "message": "SET_FEATURES", "payload": bits, "need_reply": dice.one_in(2)}
    return [{"send": changed}, {"rings": {"on": attacker, "fresh": dice.one_in(2)}}]


def _notifier(dice: Dice, attacker: str) -> list[Document]:
    """A call descriptor whose counter is full, and that waits for somebody to empty it."""
    call = {"from": attacker, "message": "SET_VRING_CALL", "payload": {"index": dice.choose((0, 1))}}
    return [
        {"send": {**call, "fds": ["full eventfd as bell"], "need_reply": dice.one_in(2)}},
        {"block": {"on": attacker, "fd": "bell"}},
        {"run": "2ms"},
    ]
