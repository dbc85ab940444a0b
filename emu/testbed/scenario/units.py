"""Values with units, as the language writes them: `150ms`, `20kpps`, `100Mbps`, `64..1500`, `imix`, `256M`.

Every parser takes what YAML gave (a text or a number) and raises UnitError with a line that says how to write it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

_NUMBER = r"(\d+(?:\.\d+)?)"
_DURATION = re.compile(_NUMBER + r"\s*(ns|us|ms|s|min|h)")
_RATE = re.compile(_NUMBER + r"\s*([kMG]?)(pps|bps)")
_BYTES = re.compile(_NUMBER + r"\s*([kKMG]?)i?B?")
_RANGE = re.compile(r"(\d+)\s*\.\.\s*(\d+)")

_NANOSECONDS = {
    "ns": 1,
    "us": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "min": 60 * 10**9,
    "h": 3600 * 10**9,
}
_DECIMAL = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}
_BINARY = {"": 1, "k": 1 << 10, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}

SMALLEST_FRAME = 60  # octets without FCS; docs/protocol.md
LARGEST_FRAME = 9000


class UnitError(ValueError):
    """str() says what was expected, with an example."""


def _text(value: object, what: str) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise UnitError(f"{value!r} is no {what}")
    return str(value).strip()


def duration_ns(value: object) -> int:
    """`150ms`, `2s`, `5min`. A bare number has no unit and is refused, except 0."""
    text = _text(value, "duration; write one like 150ms, 2s or 5min")
    if text == "0":
        return 0
    match = _DURATION.fullmatch(text)
    if match is None:
        hint = (
            f"write {text}ms or {text}s"
            if re.fullmatch(_NUMBER, text)
            else "write one like 150ms, 2s or 5min"
        )
        raise UnitError(f"'{text}' is no duration; {hint}")
    return round(Fraction(match[1]) * _NANOSECONDS[match[2]])


def duration_text(ns: int) -> str:
    """As the language writes it, in the largest unit that needs no fraction."""
    unit = max((unit for unit, size in _NANOSECONDS.items() if ns % size == 0), key=_NANOSECONDS.__getitem__)
    return f"{ns // _NANOSECONDS[unit]}{unit}" if ns else "0"


def duration_range_ns(value: object) -> tuple[int, int]:
    """`2s`, or `1s..3s` (uniform)."""
    text = _text(value, "duration; write one like 2s, or 1s..3s")
    low, dots, high = text.partition("..")
    first = duration_ns(low)
    last = duration_ns(high) if dots else first
    if last < first:
        raise UnitError(f"'{text}' is empty: {low.strip()} is more than {high.strip()}")
    return first, last


@dataclass(frozen=True)
class Rate:
    """`bits` is None for a rate in packets, else bits of frames (without FCS, gap and preamble) per second."""

    packets: float | None
    bits: float | None = None

    def packets_per_second(self, sizes: Sizes) -> float:
        if self.bits is not None:
            return self.bits / (8 * mean_size(sizes))
        return self.packets or 0.0


def rate(value: object) -> Rate:
    """`20kpps`, `1.5Mpps`, `100Mbps`. A bare number is packets a second."""
    text = _text(value, "rate; write one like 20kpps, 1.5Mpps or 100Mbps")
    if re.fullmatch(_NUMBER, text):
        return _positive(Rate(float(text)), text)
    match = _RATE.fullmatch(text)
    if match is None:
        raise UnitError(f"'{text}' is no rate; write one like 20kpps, 1.5Mpps or 100Mbps")
    number = float(match[1]) * _DECIMAL[match[2]]
    return _positive(Rate(number) if match[3] == "pps" else Rate(None, number), text)


def _positive(value: Rate, text: str) -> Rate:
    if not (value.packets or value.bits):
        raise UnitError(f"'{text}' sends nothing; leave the flow out, or set it later with `set:`")
    return value


@dataclass(frozen=True)
class Size:
    """Frames of `low` to `high` octets without FCS, each equally likely, with this share of all frames."""

    low: int
    high: int
    weight: int = 1


Sizes = tuple[Size, ...]

# The mix that RFC 6985 calls "IMIX" in its simplest, 7:4:1 form, as octets without FCS.
IMIX: Sizes = (Size(60, 60, 7), Size(590, 590, 4), Size(1514, 1514, 1))


def sizes(value: object) -> Sizes:
    """`64`, `64..1500`, `imix`, or a list of these (each with the same share)."""
    if isinstance(value, list):
        if not value:
            raise UnitError("a list of sizes needs one at least")
        return tuple(size for entry in value for size in sizes(entry))
    text = _text(value, "frame size; write one like 64, 64..1500 or imix")
    if text == "imix":
        return IMIX
    if match := _RANGE.fullmatch(text):
        low, high = int(match[1]), int(match[2])
    elif re.fullmatch(r"\d+", text):
        low = high = int(text)
    else:
        raise UnitError(f"'{text}' is no frame size; write one like 64, 64..1500 or imix")
    if low > high:
        raise UnitError(f"'{text}' is empty: {low} is more than {high}")
    for size in (low, high):
        if not SMALLEST_FRAME <= size <= LARGEST_FRAME:
            raise UnitError(
                f"{size} is no size of a probe: {SMALLEST_FRAME} to {LARGEST_FRAME} octets without FCS"
            )
    return (Size(low, high),)


def size_text(low: int, high: int) -> int | str:
    return low if low == high else f"{low}..{high}"


def mean_size(mix: Sizes) -> float:
    return sum((s.low + s.high) / 2 * s.weight for s in mix) / sum(s.weight for s in mix)


def memory_bytes(value: object) -> int:
    """`256M`, `1G`; a bare number is bytes."""
    text = _text(value, "size; write one like 256M or 1G")
    match = _BYTES.fullmatch(text)
    if match is None:
        raise UnitError(f"'{text}' is no size; write one like 256M or 1G")
    return round(Fraction(match[1]) * _BINARY[match[2]])
