"""What is known of a backend and not mended yet: cases about it are passed over, counted, and told by name."""

from __future__ import annotations

from dataclasses import dataclass

from testbed.fuzz.grammar import PROFILES
from testbed.fuzz.topology import Target, scenario


@dataclass(frozen=True)
class Known:
    """`shapes` as finding.py has them: a case that has all of them is about this."""

    shapes: frozenset[str]
    because: str


_HEADER_AT_ONE_ADDRESS = "librte_vhost writes a packet's header as if the first receive buffer held it"

# Of our switch where that library walks the rings.
_OF_THE_LIBRARY = (
    Known(frozenset({"chain runt"}), _HEADER_AT_ONE_ADDRESS),
    Known(frozenset({"chain on receives", "chain indirect"}), f"{_HEADER_AT_ONE_ADDRESS}, of a table too"),
)


def known_of(target: Target) -> tuple[Known, ...]:
    """Nothing of a backend that is attacked to see what it has."""
    if target.backend.name != "testbed-switch":
        return ()
    switch = scenario(PROFILES[0], target.datapath).all_switches()["switch"]
    return _OF_THE_LIBRARY if switch.datapath == "library" else ()
