"""testbed-switch: two ports on a learning switch brick, one worker, all counters on."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from testbed.bench.child import answers, child
from testbed.bench.model import Work
from testbed.bench.subjects.base import SUBJECT_CPU, NotSupported, Subject, Worker
from testbed.run.binaries import find_program
from testbed.run.rpc import RpcClient, connect


class SwitchWorker(Worker):
    def __init__(self, pid: int, client: RpcClient) -> None:
        self.pid = pid
        self._client = client

    async def work(self) -> Work:
        ports = (await self._client.call("counters"))["ports"].values()
        queues = [queue for port in ports for queue in port["queues"]]
        workers = (await self._client.call("status"))["workers"]
        return Work(
            packets=sum(queue["rx_packets"] for queue in queues),
            cycles=sum(queue["busy_cycles"] for queue in queues),
            bursts=sum(worker["bursts"] for worker in workers),
        )


class TestbedSwitch(Subject):
    __test__ = False  # pytest takes it for a test by its name

    def __init__(self, datapath: str) -> None:
        self.name = f"switch-{datapath}"
        self.about = f"testbed-switch, learning L2, all counters, datapath {datapath}"
        self._datapath = datapath

    @asynccontextmanager
    async def start(self, directory: Path, sockets: list[Path]) -> AsyncIterator[Worker]:
        config, control = directory / "switch.json", directory / "switch.ctl"
        config.write_text(json.dumps(self.configuration(sockets)))
        program = find_program("testbed-switch")
        command: list[str | Path] = [program, "--control", control, "--dir", directory, "--config", config]
        async with child("switch", command, directory) as process:
            try:
                await process.until(
                    "its sockets", lambda: all(path.exists() for path in sockets) and answers(control)
                )
            except RuntimeError:
                if not process.running and "datapath" in process.last_words():
                    raise NotSupported(process.last_words()) from None
                raise
            async with await connect(str(control), name="switch") as client:
                yield SwitchWorker(process.pid, client)

    def configuration(self, sockets: list[Path]) -> dict[str, Any]:
        port = {"type": "vhost", "role": "server", "queues": 1, "to": "lan"}
        return {
            "workers": 1,
            "cpus": [SUBJECT_CPU],
            "datapath": self._datapath,
            "bricks": {"lan": {"type": "switch"}},
            "ports": {f"p{number}": port | {"path": str(path)} for number, path in enumerate(sockets)},
        }
