"""testbed-switch with two ports on a learning switch, and a driver that has a frontend on each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import pytest
from rig import BUILD, DRIVER, Driver

SWITCH = Path(os.environ.get("TESTBED_SWITCH", BUILD / "core" / "testbed-switch"))

needs_programs = pytest.mark.skipif(
    not (SWITCH.is_file() and DRIVER.is_file()), reason="needs a built testbed-switch and testbed-driver"
)


class Switch(Driver):
    """The program and one connection to it."""

    def __init__(self, directory: Path, role: str = "server", queues: int = 1, **port: Any) -> None:
        self.control = directory / "switch.sock"
        ports = {
            f"p{i}": {"type": "vhost", "role": role, "path": str(directory / f"p{i}.sock"), "queues": queues,
                      "to": "lan", **port}
            for i in (0, 1)
        }  # fmt: skip
        config = directory / "switch.json"
        config.write_text(json.dumps({"workers": 1, "bricks": {"lan": {"type": "switch"}}, "ports": ports}))
        self.process = subprocess.Popen(
            [SWITCH, "--control", self.control, "--dir", directory, "--config", config]
        )
        self.events = []
        self._socket = self._connect()
        self._lines = self._socket.makefile("rw")
        self._next = 0
        self.call("events.subscribe", since=1)
        self.wait_events("switch.ready", 1)

    def refused(self, port: str = "p0") -> dict[str, int]:
        """How often, by reason."""
        counts: dict[str, int] = self.call("ports")[port]["refused"]
        return counts


@contextmanager
def both(directory: Path, **how: Any) -> Iterator[tuple[Switch, Driver]]:
    switch = Switch(directory, **how)
    try:
        driver = Driver(directory)
        try:
            yield switch, driver
        finally:
            driver.close()
    finally:
        switch.close()
