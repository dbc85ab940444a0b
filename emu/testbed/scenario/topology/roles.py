"""Words that both sides of a socket share."""

from __future__ import annotations

from typing import Literal

Role = Literal["client", "server"]
Ring = Literal["split", "packed"]


def opposite(role: Role) -> Role:
    return "server" if role == "client" else "client"


Datapath = Literal["library", "ring"]  # who walks a guest's rings: DPDK's vhost library, or the switch itself
