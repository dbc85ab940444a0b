"""Rounds of frames for guests whose every descriptor is chosen: how they are cut, and into which buffers they are received.

Pure and seeded: the same rounds can be played to two datapaths, and what came back compared octet by octet.
"""

from __future__ import annotations

import itertools
import random
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

HEADER = 12  # of virtio, before every frame: all guests have VERSION_1
_MERGED = 24  # buffers that one frame takes, at most
_ONES = b"\xff" * 6
_ROUND_OCTETS = 100_000
_PROBE = bytes.fromhex("88b5 7b7d 01 01")  # what saboteurs look for


@dataclass(frozen=True)
class Variant:
    """What a guest's rings are like."""

    name: str
    ring: str = "split"
    size: int = 256
    mergeable: bool = True
    indirect: bool = True
    in_order: bool = False
    event_idx: bool = False
    mtu: int = 0  # told to the backend; 0: nothing
    smallest: int = 64  # mergeable receive buffers
    longest: int = 9018  # frames
    receive_parts: int = 4  # of a receive buffer, at most

    def options(self) -> dict[str, object]:
        """Of frontend.add."""
        return {
            "ring": self.ring,
            "size": self.size,
            "mergeable": self.mergeable,
            "indirect": self.indirect,
            "in_order": self.in_order,
            "event_idx": self.event_idx,
            "mtu": self.mtu,
            "max_frame": self.longest,
            "scratch": 1 << 20,
        }


@dataclass(frozen=True)
class Chain:
    """The lengths of a chain's parts; in a table of its own, or each in a descriptor of the ring."""

    parts: tuple[int, ...]
    indirect: bool = False

    @property
    def length(self) -> int:
        return sum(self.parts)

    @property
    def slots(self) -> int:
        return 1 if self.indirect else len(self.parts)


@dataclass(frozen=True)
class Sent:
    frame: bytes
    chain: Chain


@dataclass
class Round:
    """`posted`: chains for each receiver, as many as the frames that reach it take. `due`: those frames."""

    sent: list[Sent] = field(default_factory=list)
    posted: list[list[Chain]] = field(default_factory=list)
    due: list[list[bytes]] = field(default_factory=list)


def table_octets(packed: bool, parts: Sequence[tuple[int, int]], writable: bool) -> bytes:
    """An indirect table (Virtio 1.2, 2.7.5.3 and 2.8.7) of (address, length)."""
    table = b""
    for number, (address, length) in enumerate(parts):
        more = number + 1 < len(parts)
        write = 2 if writable else 0
        if packed:
            table += struct.pack("<QIHH", address, length, 0, write)
        else:
            table += struct.pack("<QIHH", address, length, write | more, number + 1 if more else 0)
    return table


def cut(dice: random.Random, length: int, most: int, first: int = 1) -> tuple[int, ...]:
    """`length` in up to `most` parts, the first of which has at least `first`."""
    places = {dice.randrange(first, length) for _ in range(dice.randrange(most))} if length > first else set()
    edges = [0, *sorted(places), length]
    return tuple(end - begin for begin, end in itertools.pairwise(edges))


class Dice:
    """Draws rounds for one sender and its receivers."""

    def __init__(
        self, seed: str, sender: Variant, receivers: Sequence[Variant], macs: Sequence[bytes]
    ) -> None:
        self._dice = random.Random(seed)
        self._sender = sender
        self._receivers = receivers
        self._macs = macs  # of the sender, then of the receivers
        self._longest = min(v.longest for v in (sender, *receivers))

    def round(self, most: int = 12) -> Round:
        drawn = Round(posted=[[] for _ in self._receivers], due=[[] for _ in self._receivers])
        slots, octets = 0, 0
        for _ in range(self._dice.randrange(1, most + 1)):
            reached = self._dice.choice([[0], [0], [0], list(range(len(self._receivers)))])
            sent = self._send(_ONES if len(reached) > 1 else self._macs[1])
            slots, octets = slots + sent.chain.slots, octets + len(sent.frame)
            posted = [
                self._buffers(n, len(sent.frame)) if n in reached else [] for n in range(len(self._receivers))
            ]
            if slots > self._sender.size or octets > _ROUND_OCTETS or not self._fits(drawn, posted):
                break
            drawn.sent.append(sent)
            for receiver, buffers in enumerate(posted):
                drawn.posted[receiver] += buffers
                drawn.due[receiver] += [sent.frame] if buffers else []
        return drawn

    def _fits(self, drawn: Round, more: list[list[Chain]]) -> bool:
        return all(
            sum(chain.slots for chain in (*before, *new)) <= variant.size
            for before, new, variant in zip(drawn.posted, more, self._receivers, strict=True)
        )

    def _send(self, destination: bytes) -> Sent:
        dice = self._dice
        length = dice.choice([60, 64, 128, 1514, 1518, self._longest, dice.randrange(15, self._longest + 1)])
        length = min(length, self._longest)
        tag = b"\x81\x00" + dice.randbytes(2) if dice.randrange(4) == 0 else b""
        frame = (destination + self._macs[0] + tag + _PROBE + dice.randbytes(length))[:length]
        return Sent(frame, self._chain(HEADER + length, 5, self._sender))

    def _chain(self, length: int, most: int, variant: Variant, first: int = 1) -> Chain:
        """No longer than the queue (Virtio 1.2, 2.7.5.3.1); librte_vhost takes no table of that length either."""
        parts = cut(self._dice, length, min(most, variant.size), first)
        if most == 1:
            return Chain(parts)
        return Chain(parts, variant.indirect and len(parts) < variant.size and self._dice.randrange(2) == 0)

    def _buffers(self, receiver: int, length: int) -> list[Chain]:
        """What the frame takes: one buffer that has room for all of it, or as many as it fills."""
        variant, dice = self._receivers[receiver], self._dice
        if variant.mtu and length > variant.mtu + 18:
            return []
        left = HEADER + length
        if not variant.mergeable:
            room = left + dice.choice([0, 1, 500])
            return [self._chain(room, variant.receive_parts, variant, HEADER)]
        chains: list[Chain] = []
        while left > 0:
            least = max(variant.smallest, left // (_MERGED - len(chains)) + 1)
            room = dice.randrange(least, max(least, 4096) + 1)
            chains.append(self._chain(room, variant.receive_parts, variant, HEADER))
            left -= room
        return chains


SPLIT = (
    Variant("split"),
    Variant("split-single", mergeable=False),
    Variant("split-direct", indirect=False, event_idx=True),
    Variant("split-ordered", in_order=True),
    Variant("split-small", size=4, smallest=4096),
    Variant("split-tiny", size=2, mergeable=False),
    Variant("split-whole", in_order=True, event_idx=True, mergeable=False, size=1024),
    Variant("split-large", size=32768),
    Variant("split-mtu", mtu=1500),
)
PACKED = (
    Variant("packed", ring="packed"),
    Variant("packed-single", ring="packed", mergeable=False),
    Variant("packed-direct", ring="packed", indirect=False, event_idx=True),
    Variant("packed-ordered", ring="packed", in_order=True, event_idx=True),
    Variant("packed-odd", ring="packed", size=37),
    Variant("packed-tiny", ring="packed", size=3, mergeable=False),
    Variant("packed-large", ring="packed", size=4095),
    Variant("packed-mtu", ring="packed", mtu=4000, mergeable=False),
)
