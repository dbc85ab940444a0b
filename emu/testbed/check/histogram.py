"""Latency histograms in HdrHistogram's V2 encoding, plain or compressed, in base64: what receivers report.

Our own decoder because a checker must be able to subtract (what came between two moments) and because the one Python
package of the format brings build tools along as dependencies; tests hold this one against bytes that package wrote.

The format, as the Java and C implementations write it: big-endian header {cookie, payload length, normalizing offset,
significant digits (int32 each), lowest and highest trackable value (int64), conversion ratio (double)}, then the counts
from index 0 as ZigZag LEB128 numbers (nine bytes at most, the ninth with eight bits), negative ones standing for that
many zeroes. Compressed: {cookie, length} and the above in zlib.
"""

from __future__ import annotations

import base64
import binascii
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

_HEADER = struct.Struct(">iiiiqqd")
_COMPRESSED_HEADER = struct.Struct(">ii")
# The low byte's upper half tells the word size in the first version and is always 1 in the second.
_PLAIN, _COMPRESSED = 0x1C849303, 0x1C849304
_COOKIE_MASK = ~0xF0
# What a hostile length could make us inflate to; the widest histogram of 1 ns .. 1 h with three digits is 0.6 MB.
_MAX_BYTES = 16 << 20


class HistogramError(ValueError):
    """These bytes are no histogram."""


@dataclass(frozen=True)
class Layout:
    """Which values share a bucket: the same for histograms that can be added."""

    unit_magnitude: int  # the smallest bucket is 2**unit_magnitude wide
    half_magnitude: int  # a bucket has 2**(half_magnitude + 1) sub-buckets

    @classmethod
    def of(cls, lowest: int, digits: int) -> Self:
        if not (1 <= digits <= 5 and lowest >= 1):
            raise HistogramError(f"{digits} significant digits from {lowest}")
        largest_single_unit = 2 * 10**digits
        return cls(lowest.bit_length() - 1, (largest_single_unit - 1).bit_length() - 1)

    def highest_of(self, index: int) -> int:
        """The highest value that counts under this index (HdrHistogram reports percentiles by it)."""
        half = 1 << self.half_magnitude
        bucket, sub = (index >> self.half_magnitude) - 1, (index & (half - 1)) + half
        if bucket < 0:
            bucket, sub = 0, sub - half
        shift = bucket + self.unit_magnitude
        return ((sub + 1) << shift) - 1


@dataclass(frozen=True)
class Histogram:
    layout: Layout
    counts: dict[int, int]  # by index; none is 0

    @property
    def count(self) -> int:
        return sum(self.counts.values())

    def percentile(self, percent: float) -> int:
        """The value that `percent` of the samples do not exceed, in the units recorded. 0 when there are none."""
        wanted = max(1.0, self.count * percent / 100.0 - 1e-9)
        seen = 0
        for index in sorted(self.counts):
            seen += self.counts[index]
            if seen >= wanted:
                return self.layout.highest_of(index)
        return 0

    def curve(self, percents: list[float]) -> list[tuple[float, int]]:
        return [(percent, self.percentile(percent)) for percent in percents]

    def plus(self, other: Histogram) -> Histogram:
        return self._combined(other, 1)

    def minus(self, earlier: Histogram) -> Histogram:
        """What was recorded after `earlier`, a histogram of the same receiver."""
        result = self._combined(earlier, -1)
        if any(count < 0 for count in result.counts.values()):
            raise HistogramError("the earlier histogram has samples that the later one has not")
        return result

    def _combined(self, other: Histogram, sign: int) -> Histogram:
        if self.layout != other.layout:
            raise HistogramError("histograms of different precision cannot be combined")
        counts = dict(self.counts)
        for index, count in other.counts.items():
            counts[index] = counts.get(index, 0) + sign * count
        return Histogram(self.layout, {index: count for index, count in counts.items() if count})


def enough_for(percent: float, count: int) -> bool:
    """Whether a percentile of that many samples means anything: ten of them must lie beyond it, or it is decided by
    one or two packets that happened to be late (p99 wants 1000 samples, p99.9 wants 10 000)."""
    return count * (100.0 - percent) / 100.0 >= 10.0 - 1e-9


def _numbers(data: bytes) -> Iterator[int]:
    position = 0
    while position < len(data):
        value = shift = 0
        while True:
            if position >= len(data):
                raise HistogramError("the counts end in the middle of a number")
            byte = data[position]
            position += 1
            if shift == 56:  # the ninth byte is all value
                value |= byte << shift
                break
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                break
        yield (value >> 1) ^ -(value & 1)


def _inflated(data: bytes) -> bytes:
    inflater = zlib.decompressobj()
    try:
        plain = inflater.decompress(data, _MAX_BYTES)
    except zlib.error as error:
        raise HistogramError(f"the compressed part is damaged: {error}") from error
    if inflater.unconsumed_tail:
        raise HistogramError(f"it inflates to more than {_MAX_BYTES} bytes")
    return plain


def decode(text: str) -> Histogram:
    """Raises HistogramError."""
    try:
        data = base64.b64decode(text, validate=True)
        if (
            len(data) >= 8
            and _COMPRESSED_HEADER.unpack_from(data)[0] & _COOKIE_MASK == _COMPRESSED & _COOKIE_MASK
        ):
            length = _COMPRESSED_HEADER.unpack_from(data)[1]
            data = _inflated(data[8 : 8 + length])
        cookie, length, offset, digits, lowest, _, _ = _HEADER.unpack_from(data)
    except (binascii.Error, struct.error) as error:
        raise HistogramError(f"not a V2 histogram: {error}") from error
    if cookie & _COOKIE_MASK != _PLAIN & _COOKIE_MASK or offset != 0:
        raise HistogramError(f"not a V2 histogram: cookie {cookie:#x}, offset {offset}")
    if length != len(data) - _HEADER.size:
        raise HistogramError(f"{length} bytes of counts were announced and {len(data) - _HEADER.size} came")
    return Histogram(Layout.of(lowest, digits), _counts(data[_HEADER.size :]))


def _counts(data: bytes) -> dict[int, int]:
    counts: dict[int, int] = {}
    index = 0
    for number in _numbers(data):
        if number > 0:
            counts[index] = number
        index += -number if number < 0 else 1
    return counts
