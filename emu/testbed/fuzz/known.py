"""What is known of a backend and not mended yet: cases about it are passed over, counted, and told by name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Known:
    """`shapes` as finding.py has them: a case that has all of them is about this."""

    shapes: frozenset[str]
    because: str


_HEADER_AT_ONE_ADDRESS = "librte_vhost writes a packet's header as if the first receive buffer held it"

# By backend. Nothing is known of a backend that is attacked to see what it has.
KNOWN: dict[str, tuple[Known, ...]] = {
    "testbed-switch": (
        Known(frozenset({"chain runt"}), _HEADER_AT_ONE_ADDRESS),
        Known(
            frozenset({"chain on receives", "chain indirect"}), f"{_HEADER_AT_ONE_ADDRESS}, of a table too"
        ),
    )
}
