"""The grammar of rings: chains, split and packed, that no driver would post; rings and memory overwritten or changing."""

from __future__ import annotations

from typing import Any

from testbed.fuzz import values
from testbed.fuzz.dice import Dice

Document = dict[str, Any]

_PLACES = (
    "buf0", "buf1", "buf2+4000", "buf3", "region0", "region0.end", "region0.end-1", "region0.end-12", "region0.end-64",
    "region0.end-2048", "desc0", "desc1", "avail0", "avail1", "used0", "used1", "used1+4", 0, 1 << 32, values.MOST_64,
    values.MOST_64 - values.PAGE + 1,
)  # fmt: skip
_ORDINARY = ("buf0", "buf1", "buf2", "buf3")
_INDEX_OCTETS = ("0000", "0100", "4000", "0080", "ffff")
_KINDS = {"plain": 4, "runt": 3, "split": 3, "loop": 2, "indirect": 3, "jump": 2, "readable": 2, "short": 3}


def chain(dice: Dice, attacker: str, packed: bool, size: int) -> list[Document]:
    """Steps that end in one `chain`."""
    make = {
        "plain": _plain,
        "runt": _runt,
        "split": _split,
        "loop": _loop,
        "jump": _jump,
        "readable": _readable,
        "short": _short,
    }
    kind = dice.among(_KINDS)
    if kind == "indirect":
        return _indirect(dice, attacker)
    given: Document = {"on": attacker, "queue": dice.choose((0, 0, 1, 1, 1)), **make[kind](dice, size)}
    if packed and dice.one_in(5):
        given["exact_flags"] = True
        for one in given["descriptors"]:
            one["flags"] = dice.between(0, values.MOST_16)
    if dice.one_in(6):
        given["times"] = dice.choose((2, 4, 8))
    return [{"chain": given}]


def _descriptor(dice: Dice) -> Document:
    one: Document = {"addr": dice.choose(_PLACES), "len": dice.choose(values.LENGTHS)}
    if dice.one_in(2):
        one["write"] = dice.one_in(2)
    if dice.one_in(12):
        one["next_index"] = dice.choose((0, 1, 63, 64, 255, values.MOST_16))
    if dice.one_in(12):
        one["id"] = dice.choose((0, 1, 64, values.MOST_16))
    return one


def _plain(dice: Dice, size: int) -> Document:
    count = dice.choose((1, 1, 2, 3, 5, size, size + 1) if size <= 64 else (1, 2, 3, 5))
    return {"descriptors": [_descriptor(dice) for _ in range(count)]}


def _runt(dice: Dice, size: int) -> Document:
    """Receive buffers too short for the header, the last octets of memory among them."""
    lengths = dice.choose(((1, 1, 2048), (1, 2048), (11, 1, 1514), (1,) * 11, (10, 2, 64), (0, 0, 2048)))
    places = [dice.choose(("buf0", "region0.end-1", "buf1", "region0.end-12")) for _ in lengths]
    written = [
        {"addr": place, "len": length, "write": True} for place, length in zip(places, lengths, strict=True)
    ]
    return {"queue": 0, "descriptors": written}


def _split(dice: Dice, size: int) -> Document:
    """The header over several descriptors, then the frame."""
    cuts = dice.choose(((12,), (1, 11), (4, 4, 4), (10, 2), (1,) * 12, (6, 20)))
    parts = [*cuts, dice.choose((1, 14, 60, 64, 1514))]
    return {
        "queue": 1,
        "data": "00" * 12 + "ffffffffffff" + "0200000000ee" + "88b5" + dice.octets(0, 32),
        "descriptors": [
            {"addr": f"buf0+{sum(parts[:index])}", "len": part} for index, part in enumerate(parts)
        ],
    }


def _loop(dice: Dice, size: int) -> Document:
    """Descriptors that follow themselves, or each other. On a packed ring: one whose next never comes."""
    length = dice.choose((0, 1, 64))
    count = dice.choose((1, 2))
    following = [
        {"addr": dice.choose(_ORDINARY), "len": length, "next": True, "next_index": (index + 1) % count}
        for index in range(count)
    ]
    return {"descriptors": following}


def _jump(dice: Dice, size: int) -> Document:
    """An available ring that says what cannot be."""
    given: Document = {"descriptors": [{"addr": dice.choose(_ORDINARY), "len": 64}]}
    if dice.one_in(2):
        given["head"] = dice.choose((size, size - 1, size + 1, 0, values.MOST_16))
    else:
        given["avail_index"] = dice.choose((0, 1, size, size + 1, 32768, values.MOST_16))
    return given


def _readable(dice: Dice, size: int) -> Document:
    """Each direction's buffers on the queue of the other, and mixed."""
    writes = dice.times(1, 3, lambda: dice.one_in(2))
    return {
        "descriptors": [{"addr": dice.choose(_ORDINARY), "len": 1514, "write": write} for write in writes]
    }


def _short(dice: Dice, size: int) -> Document:
    """Frames that end within the header, or hardly behind it, with header fields that lie."""
    return {
        "queue": 1,
        "data": dice.octets(12, 12) + "ffffffffffff" + "0200000000ee" + "88b5",
        "descriptors": [{"addr": "buf0", "len": dice.choose((0, 1, 9, 10, 11, 12, 13, 18, 25, 26, 72))}],
    }


def _indirect(dice: Dice, attacker: str) -> list[Document]:
    """A table of descriptors in memory, and a chain that points to it."""
    count = dice.choose((0, 1, 2, 4))
    table = "".join(_entry(dice, index) for index in range(count))
    length = dice.choose((16 * count, 16 * count, 0, 1, 15, 17, 16 * 300, values.MOST_32))
    one: Document = {"addr": dice.choose(("buf4", "buf4", "region0.end-16")), "len": length, "indirect": True}
    if dice.one_in(5):
        one["next"] = True
    steps: list[Document] = [{"poke": {"on": attacker, "at": "buf4", "bytes": table}}] if table else []
    queue = dice.choose((0, 1, 1))
    return [*steps, {"chain": {"on": attacker, "queue": queue, "descriptors": [one]}}]


def _entry(dice: Dice, index: int) -> str:
    """addr, len, flags, next: virtio 1.2, 2.7.5."""
    address = dice.choose((0, values.PAGE, 1 << 32, values.MOST_64, 0x10000))
    length = dice.choose(values.LENGTHS)
    flags = dice.choose((0, 1, 2, 3, 4, 5))
    following = dice.choose((index + 1, 0, 300))
    return (
        address.to_bytes(8, "little")
        + length.to_bytes(4, "little")
        + flags.to_bytes(2, "little")
        + following.to_bytes(2, "little")
    ).hex()


def disturbance(dice: Dice, attacker: str) -> list[Document]:
    """What a driver may do to its rings beside posting."""
    part = dice.choose(("desc", "avail", "used")) + dice.choose("01")
    match dice.between(0, 6):
        case 0:
            offset = dice.choose(("", "+2", "+4", "+8", "+12", "+14"))
            return [{"poke": {"on": attacker, "at": part + offset, "bytes": dice.octets(1, 16)}}]
        case 1:
            index = {"on": attacker, "at": f"avail{dice.choose('01')}+2", "bytes": dice.choose(_INDEX_OCTETS)}
            return [{"poke": index}, {"kick": {"on": attacker, "queue": dice.choose((0, 1))}}]
        case 2:
            at = dice.choose(("desc0", "desc1")) + dice.choose(("", "+8", "+12"))
            flipping = {"on": attacker, "at": at, "values": ["40000000", "ffffffff"]}
            return [{"flip": flipping}, _pause(dice), {"flip": flipping | {"values": []}}]
        case 3:
            return [{"kick": {"on": attacker, "queue": dice.choose((0, 1)), "times": dice.choose((1, 1000))}}]
        case 4:
            enabled = {"on": attacker, "queue": dice.choose((0, 1)), "enabled": dice.one_in(2)}
            return [{"virtqueue": enabled}]
        case 5:
            return [{"poke": {"on": attacker, "at": f"{part}", "bytes": "ff" * dice.choose((16, 64, 256))}}]
        case _:
            return [_pause(dice)]


def _pause(dice: Dice) -> Document:
    return {"run": f"{dice.choose((2, 5, 15))}ms"}
