"""testbed-driver and dpdk-testpmd, side by side in a directory of the test's own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
BUILD = ROOT / "build" / os.environ.get("TESTBED_BUILD", "release")
DRIVER = Path(os.environ.get("TESTBED_DRIVER", BUILD / "emu" / "driver" / "testbed-driver"))
WITHIN_S = 60.0  # for anything at all; a machine that is busy with other things is slow, not wrong

needs_both = pytest.mark.skipif(
    shutil.which("dpdk-testpmd") is None or not DRIVER.is_file(),
    reason="needs dpdk-testpmd (apt-get install dpdk) and a built testbed-driver",
)


class Driver:
    """The program and one connection to it."""

    def __init__(self, directory: Path) -> None:
        self.control = directory / "driver.sock"
        self.process = subprocess.Popen([DRIVER, "--control", self.control, "--dir", directory])
        self.events: list[dict[str, Any]] = []
        self._socket = self._connect()
        self._lines = self._socket.makefile("rw")
        self._next = 0
        self.call("events.subscribe", since=1)

    def _connect(self) -> socket.socket:
        deadline = time.monotonic() + WITHIN_S
        while True:
            attempt = socket.socket(socket.AF_UNIX)
            attempt.settimeout(WITHIN_S)
            try:
                attempt.connect(str(self.control))
                return attempt
            except OSError:
                attempt.close()
                assert time.monotonic() < deadline and self.process.poll() is None
                time.sleep(0.005)

    def _read(self) -> dict[str, Any] | None:
        document: dict[str, Any] = json.loads(self._lines.readline())
        if document.get("method") != "event":
            return document
        self.events.append(document["params"])
        return None

    def call(self, method: str, **params: Any) -> Any:
        self._next += 1
        request = {"jsonrpc": "2.0", "id": self._next, "method": method, "params": params}
        self._lines.write(json.dumps(request) + "\n")
        self._lines.flush()
        while not (reply := self._read()):
            pass
        assert "error" not in reply, f"{method}: {reply.get('error')}"
        return reply["result"]

    def named(self, name: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["name"] == name]

    def wait_events(self, name: str, count: int) -> list[dict[str, Any]]:
        while len(self.named(name)) < count:
            self._read()
        return self.named(name)

    def until(self, what: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Flow counts that satisfy `holds`."""
        deadline = time.monotonic() + WITHIN_S
        while True:
            counts: dict[str, Any] = self.call("flow.counts")
            if holds(counts):
                return counts
            assert time.monotonic() < deadline, f"not {what}: {counts}"
            time.sleep(0.01)

    def add_pair(self, directory: Path, **options: Any) -> None:
        """Frontends f0 and f1, one per port of testpmd, up."""
        before = len(self.named("driver.up"))
        for i in (0, 1):
            self.call("frontend.add", name=f"f{i}", path=str(directory / f"p{i}.sock"), mac=mac(i), **options)
        self.wait_events("driver.up", before + 2)
        self.settle()

    def remove_pair(self) -> None:
        for i in (0, 1):
            self.call("frontend.remove", name=f"f{i}")

    def add_flows(self, streams: int = 1, first: int = 1, **how: Any) -> None:
        """Flow `first` from f0 to f1, the next one back."""
        for flow, source in ((first, 0), (first + 1, 1)):
            reply = {"reply_to": mac(source)} if "window" in how else {}
            self.call(
                "flow.expect", flow=flow, name=f"x{flow}", frontend=f"f{1 - source}", run=7, seed=3,
                mac=mac(1 - source), streams=streams, outage_threshold_ns=10**9, **reply,
            )  # fmt: skip
        for flow, source in ((first, 0), (first + 1, 1)):
            self.call(
                "flow.send", flow=flow, name=f"x{flow}", frontend=f"f{source}", run=7, seed=3,
                sizes=[{"min": 64, "max": 1500, "weight": 1}], src=mac(source), dst=mac(1 - source),
                streams=streams, queue=-1, **how,
            )  # fmt: skip

    def settle(self) -> None:
        """Frames pass both ways. A backend begins to forward a moment after it has acknowledged the last message."""
        self.add_flows(first=91, rate_pps=1000)
        self.call("flow.start", flow=91)
        self.call("flow.start", flow=92)
        self.until("frames pass", lambda counts: all(counts[flow]["received"] > 0 for flow in ("91", "92")))
        self.call("flow.remove", flow=91)
        self.call("flow.remove", flow=92)

    def moved(self, packets: int) -> None:
        self.until(
            f"{packets} received", lambda counts: all(c["received"] >= packets for c in counts.values())
        )

    def all_arrived(self) -> dict[str, Any]:
        """Flows stop; everything that was sent has been received."""
        self.call("flow.stop")
        return self.until(
            "all arrived", lambda counts: all(c["received"] == c["sent"] for c in counts.values())
        )

    def close(self) -> None:
        self._lines.close()
        self._socket.close()
        self.process.terminate()
        assert self.process.wait(WITHIN_S) == 0


def mac(i: int) -> str:
    return f"02:00:00:00:0{i}:01"


class Testpmd:
    """Two net_vhost ports that forward to each other."""

    __test__ = False

    def __init__(self, directory: Path, queues: int, client: bool = False) -> None:
        ports = [
            f"--vdev=net_vhost{i},iface={directory}/p{i}.sock,queues={queues},client={int(client)}"
            for i in (0, 1)
        ]
        self._log = (directory / "testpmd.log").open("ab")
        self.process = subprocess.Popen(
            ["dpdk-testpmd", "-l", "0,1", "--no-huge", "-m", "256", "--no-pci", "--no-telemetry",
             f"--file-prefix=rig{os.getpid()}", *ports, "--", "--auto-start", "--forward-mode=io",
             f"--rxq={queues}", f"--txq={queues}", "--total-num-mbufs=16384", "--nb-cores=1", "--stats-period=1000"],
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT,
            env={**os.environ, "XDG_RUNTIME_DIR": str(directory)},
        )  # fmt: skip

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self._log.close()
