"""The grammar of messages: a request, its fields at their edges, its descriptors, and a header that need not be true.

A message begins as a frontend would send it. Then each of its parts is mutated with some probability, so that most
messages are wrong in one way only and reach the code behind the checks of all others.
"""

from __future__ import annotations

from typing import Any

from testbed.fuzz import values
from testbed.fuzz.dice import Dice
from testbed.scenario.virtio_names import REQUESTS

Document = dict[str, Any]

_STATE_VALUES = {
    "SET_VRING_NUM": values.RING_SIZES,
    "SET_VRING_BASE": values.BASES,
    "SET_VRING_ENABLE": (0, 1, 2, values.MOST_32),
}
_FIELDS: dict[str, tuple[int, ...]] = {
    "index": values.INDEXES,
    "num": values.SMALL,
    "nofd": (0, 1),
    "count": values.REGION_COUNTS,
    "gpa": values.ADDRESSES,
    "iova": values.ADDRESSES,
    "user": values.ADDRESSES,
    "descriptor": values.ADDRESSES,
    "used": values.ADDRESSES,
    "available": values.ADDRESSES,
    "log": values.ADDRESSES,
    "size": values.SIZES,
    "mmap_size": values.SIZES,
    "offset": values.OFFSETS,
    "mmap_offset": values.OFFSETS,
    "num_queues": values.COUNTS_16,
    "queue_size": values.COUNTS_16,
    "flags": values.SMALL,
    "permission": values.SMALL,
    "type": values.SMALL,
    "direction": values.SMALL,
    "phase": values.SMALL,
}
_NARROW = {"GET_CONFIG": 32, "SET_CONFIG": 32}  # where a size or an offset is no 64-bit number

# What each request carries when nothing is wrong with it.
_USUAL_DESCRIPTORS = {
    "SET_MEM_TABLE": ["guest"],
    "ADD_MEM_REG": ["guest"],
    "SET_LOG_BASE": ["memfd 8192"],
    "SET_LOG_FD": ["eventfd"],
    "SET_VRING_KICK": ["eventfd"],
    "SET_VRING_CALL": ["eventfd"],
    "SET_VRING_ERR": ["eventfd"],
    "SET_BACKEND_REQ_FD": ["socket"],
    "SET_INFLIGHT_FD": ["memfd 4096"],
    "SET_DEVICE_STATE_FD": ["pipe"],
}
_USUAL_FIELDS: dict[str, Document] = {
    "SET_INFLIGHT_FD": {"mmap_size": 4096, "mmap_offset": 0, "num_queues": 2, "queue_size": 64},
    "GET_INFLIGHT_FD": {"num_queues": 2, "queue_size": 64},
    "SET_LOG_BASE": {"size": 8192, "offset": 0},
}
# Those behind which most of a backend's code lies are sent more often.
_WEIGHTS = dict.fromkeys(REQUESTS, 2) | {
    "SET_MEM_TABLE": 6,
    "SET_LOG_BASE": 5,
    "SET_VRING_ADDR": 6,
    "SET_VRING_NUM": 4,
    "SET_VRING_BASE": 4,
    "SET_VRING_KICK": 4,
    "SET_VRING_ENABLE": 4,
    "SET_FEATURES": 5,
    "GET_VRING_BASE": 4,
    "SET_INFLIGHT_FD": 4,
    "GET_INFLIGHT_FD": 3,
    "IOTLB_MSG": 3,
}
_FLAGS = (0, 1, 2, 3, 5, 9, 13, 0x11, values.MOST_32)


def message(dice: Dice, attacker: str) -> Document:
    """A step `send`."""
    if dice.one_in(30):
        return _unknown(dice, attacker)
    if dice.one_in(40):
        return {"send": {"from": attacker, "bytes": dice.octets(1, 64)}}
    request = dice.among(_WEIGHTS)
    given: Document = {"from": attacker, "message": request}
    given |= _payload(dice, request)
    given |= _descriptors(dice, request)
    given |= _header(dice)
    return {"send": given}


def _unknown(dice: Dice, attacker: str) -> Document:
    """A request that no specification has."""
    number = dice.choose((0, 44, 50, 255, 1000, values.MOST_16, values.MOST_32))
    return {"send": {"from": attacker, "message": number, "payload": {"hex": dice.octets(0, 24)}}}


def _payload(dice: Dice, request: str) -> Document:
    if dice.one_in(12):
        return {"payload": {"hex": dice.octets(0, 300)}}
    usual = _USUAL_FIELDS.get(request, {})
    names = [name for name in REQUESTS[request] if name not in usual or dice.one_in(2)]
    if request == "SET_FEATURES":
        return {"payload": _features(dice)}
    chosen = {name: _field(dice, request, name) for name in names if _is_given(dice, request, name)}
    fields = usual | {name: value for name, value in chosen.items() if value is not None}
    return {"payload": fields} if fields else {}


def _is_given(dice: Dice, request: str, name: str) -> bool:
    """Left out means: as the frontend would say it. Numbers and indexes have no such value but 0."""
    often = name in ("u64", "num") or (name == "index" and dice.one_in(2))
    return often or dice.one_in(4)


def _features(dice: Dice) -> int:
    """Those of an ordinary frontend, with some turned over."""
    features = values.ORDINARY_FEATURES
    for _ in range(dice.between(0, 2)):
        features ^= 1 << dice.choose(values.FEATURE_BITS)
    return dice.choose((features, features, features | 1 << values.LOG_ALL, 0, values.MOST_64))


def _field(dice: Dice, request: str, name: str) -> Any:
    if name == "regions":
        return dice.times(0, 9, lambda: _region(dice))
    if name == "bytes":
        return dice.octets(0, 300)
    if name == "u64":
        return _number(dice, request)
    if name == "index" and dice.one_in(2):
        return dice.choose((0, 1))
    pool = _STATE_VALUES.get(request, _FIELDS[name]) if name == "num" else _FIELDS[name]
    value = dice.choose(pool)
    width = 32 if name in ("index", "num", "count") else _NARROW.get(request, 64)
    if name in ("permission", "type"):
        width = 8
    return value & ((1 << width) - 1)


def _number(dice: Dice, request: str) -> int:
    if request == "NET_SET_MTU":
        return dice.choose(values.MTUS)
    if request == "SET_STATUS":
        return dice.choose((0, 1, 3, 7, 11, 15, 64, 128, 255, values.MOST_64))
    if request == "SET_PROTOCOL_FEATURES":
        return dice.choose((0, 1, 0xFF, 0x10CBF, 1 << 12, 1 << 16, 1 << 63, values.MOST_64))
    return dice.choose((0, 1, 0x020000000001, values.MOST_64))


def _region(dice: Dice) -> Document:
    return {
        "gpa": dice.choose(values.ADDRESSES),
        "size": dice.choose(values.SIZES),
        "user": dice.choose(values.ADDRESSES),
        "offset": dice.choose(values.OFFSETS),
    }


def _descriptors(dice: Dice, request: str) -> Document:
    usual = _USUAL_DESCRIPTORS.get(request, [])
    match dice.between(0, 7):
        case 0:
            return {"fds": []} if usual else {}
        case 1:
            return {"fds": [dice.choose(values.DESCRIPTORS) for _ in usual or "1"]}
        case 2:
            count = dice.choose((2, 8, 9, 32))
            return {"fds": [dice.choose(usual or values.DESCRIPTORS) for _ in range(count)]}
        case _:
            # A region's own descriptor is sent when nothing else is said.
            return {"fds": usual} if usual and usual != ["guest"] else {}


def _header(dice: Dice) -> Document:
    given: Document = {}
    if dice.one_in(12):
        given["flags"] = dice.choose(_FLAGS)
    if dice.one_in(12):
        given["size"] = dice.choose((0, 1, 4, 7, 9, 12, 40, 300, PAGE_AND_MORE, values.MOST_32))
    if dice.one_in(3):
        given["need_reply"] = True
    if dice.one_in(15):
        given["cut"] = dice.choose((1, 4, 8, 11, 12, 13, 16, 20))
    if dice.one_in(30):
        given["times"] = dice.choose((2, 3, 8))  # each may wait for an answer in vain
    return given


PAGE_AND_MORE = values.PAGE + 1
