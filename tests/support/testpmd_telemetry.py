"""A client of DPDK's telemetry socket: how dpdk-testpmd is asked for its counters."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any


class Telemetry:
    """One connection to `<runtime_dir>/dpdk/<prefix>/dpdk_telemetry.v2`."""

    def __init__(self, runtime_dir: Path, prefix: str, timeout_s: float = 2.0) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.settimeout(timeout_s)
        self._socket.connect(str(runtime_dir / "dpdk" / prefix / "dpdk_telemetry.v2"))
        self._limit = int(json.loads(self._socket.recv(1024))["max_output_len"])

    def ask(self, command: str) -> Any:
        """The reply to `command` ("/ethdev/stats,0"), without its outer key."""
        self._socket.send(command.encode())
        reply = json.loads(self._socket.recv(self._limit))
        return next(iter(reply.values()))

    def packets_received(self, ports: int) -> int:
        """ipackets summed over ethdevs 0..ports-1."""
        return sum(int(self.ask(f"/ethdev/stats,{port}")["ipackets"]) for port in range(ports))

    def close(self) -> None:
        self._socket.close()
