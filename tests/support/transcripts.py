"""What two datapaths did with the same script, held against each other; and one against the script itself."""

from __future__ import annotations

import json
from typing import Any

from by_hand import HEADER
from datapath_rig import ROLES

Transcript = dict[str, list[tuple[str, Any]]]
_BUFFERS = slice(20, 24)  # num_buffers in a header of hexadecimal digits
_RECEIVERS = ROLES[1:]


def differences(one: Transcript, other: Transcript) -> list[str]:
    """A line for each entry that is not the same."""
    found = []
    for network, entries in one.items():
        others = other[network]
        if len(entries) != len(others):
            found.append(f"{network}: {len(entries)} entries, {len(others)}")
        for number, ((about, mine), (_, yours)) in enumerate(zip(entries, others, strict=False)):
            found += [f"{network} {number}, {about}: {line}" for line in _lines(_plain(mine), _plain(yours))]
    return found


def _plain(entry: Any) -> Any:
    """Without what may differ: see docs/architecture.md, "Two datapaths, one behaviour"."""
    entry = json.loads(json.dumps(entry))
    if not isinstance(entry, dict):
        return entry
    for role in _RECEIVERS:
        for buffer in entry.get(role, []):
            _mend_buffers(buffer)
    if "bases" in entry:
        entry["bases"] = [
            base & 0xFFFF for base in entry["bases"]
        ]  # of a packed ring the library says no more
        entry["faults"]["rx"].pop("bad_buffers")
    if drops := entry.get("drops"):
        # Too long a frame for a guest without buffers is the one or the other.
        drops["ring_full"] = drops.pop("ring_full", 0) + drops.pop("too_big", 0)
    return entry


def _mend_buffers(buffer: dict[str, Any]) -> None:
    """Without MRG_RXBUF librte_vhost leaves num_buffers as it was, where the specification has 1 (Virtio 1.2, 5.1.6.4)."""
    octets = buffer["octets"]
    if buffer["single"]:
        buffer["octets"] = octets[: _BUFFERS.start] + "0100" + octets[_BUFFERS.stop :]


def _lines(mine: Any, yours: Any) -> list[str]:
    if mine == yours:
        return []
    if isinstance(mine, dict) and isinstance(yours, dict):
        keys = sorted(mine.keys() | yours.keys())
        return [f"{key}: {line}" for key in keys for line in _lines(mine.get(key), yours.get(key))]
    if isinstance(mine, list) and isinstance(yours, list):
        if len(mine) != len(yours):
            return [f"{len(mine)} entries, {len(yours)}"]
        return next(
            [f"[{n}] {line}" for line in _lines(a, b)]
            for n, (a, b) in enumerate(zip(mine, yours, strict=True))
            if a != b
        )
    return [f"{_short(mine)}, {_short(yours)}"]


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def undelivered(transcript: Transcript) -> list[str]:
    """A line for each round in which a receiver did not get exactly the frames that were due to it, in order and whole."""
    found = []
    for network, entries in transcript.items():
        for number, (about, seen) in enumerate(entries):
            for role in _RECEIVERS if isinstance(seen, dict) and "sender" in seen else ():
                due, got = seen[f"due to {role}"], _frames(seen[role])
                if got != due:
                    sizes = [[len(frame) // 2 for frame in frames] for frames in (due, got)]
                    found.append(f"{network} {number}, {about}: {role}: due {sizes[0]}, got {sizes[1]}")
    return found


def _frames(buffers: list[dict[str, Any]]) -> list[str]:
    """Put together out of merged buffers."""
    frames, left = [], 0
    for buffer in buffers:
        written = buffer["octets"][: 2 * buffer["length"]]
        if left > 0:
            frames[-1] += written
        else:
            left = int.from_bytes(bytes.fromhex(written[_BUFFERS]), "little")
            frames.append(written[2 * HEADER :])
        left -= 1
    return frames
