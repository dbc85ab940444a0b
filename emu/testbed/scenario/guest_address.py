"""Addresses in guest memory as a scenario writes them: a number, or a place by name with +n or -n behind it.

buf0    a slot of 4096 octets in memory that nothing else uses (`scratch:` of the driver)
desc1   the descriptors of virtqueue 1;  avail1, used1: its rings, or on a packed ring its event words
region0 where a region of guest memory begins;  region0.end: behind its last octet
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from testbed.scenario.units import UnitError, memory_bytes

SLOT = 4096

_PLACE = re.compile(r"(buf|desc|avail|used|region)(\d{1,5})(\.end)?(?:\s*([+-])\s*(0[xX][0-9a-fA-F]+|\d+))?")
Base = Literal["", "buf", "desc", "avail", "used", "region"]


@dataclass(frozen=True)
class GuestAddress:
    """`base` empty: `offset` is the address."""

    base: Base
    number: int
    at_end: bool
    offset: int
    text: str


def guest_address(value: object) -> GuestAddress:
    """UnitError."""
    text = str(value).strip()
    match = _PLACE.fullmatch(text)
    if match is None or (match[3] and match[1] != "region"):
        return GuestAddress("", 0, False, _number(value, text), text)
    distance = int(match[5], 0) if match[5] else 0
    base: Base = match[1]  # type: ignore[assignment]  # the pattern's alternatives
    return GuestAddress(base, int(match[2]), bool(match[3]), -distance if match[4] == "-" else distance, text)


def _number(value: object, text: str) -> int:
    try:
        if text.lower().startswith("0x"):
            return int(text, 16)
        return memory_bytes(value)
    except (UnitError, ValueError):
        what = (
            "is no address; write a number, or one like buf0, buf0+12, desc1, avail1, used1+2, region0.end-1"
        )
        raise UnitError(f"'{text}' {what}") from None
