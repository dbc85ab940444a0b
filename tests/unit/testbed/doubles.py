"""Stand-ins for the C++ programs, so that the runner can be tested where none are built.

    python doubles.py switch --control PATH --dir DIR --config FILE
    python doubles.py load --control PATH --dir DIR --memory-mb N

They speak docs/protocol.md and carry "packets" by counting: a sender writes how many it sent into a file that the
receiver reads. $DOUBLE_MISBEHAVE makes one of them do something wrong (see `misbehaves`).
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import sys
import time
import zlib
from pathlib import Path
from typing import Any

Document = dict[str, Any]


def misbehaves(how: str) -> bool:
    return os.environ.get("DOUBLE_MISBEHAVE", "") == how


def empty_histogram() -> str:
    """HdrHistogram V2 without counts: cookie, length 0, and the ranges."""
    payload = b"".join(
        number.to_bytes(size, "big")
        for number, size in ((0x1C849303, 4), (0, 4), (0, 4), (3, 4), (1, 8), (3_600_000_000_000, 8), (0, 8))
    )
    packed = zlib.compress(payload)
    return base64.b64encode(
        (0x1C849304).to_bytes(4, "big") + len(packed).to_bytes(4, "big") + packed
    ).decode()


class Program:
    def __init__(self, program: str, control: Path, directory: Path) -> None:
        self.directory = directory
        self.control = control
        self.events: list[Document] = []
        self.subscribers: list[asyncio.StreamWriter] = []
        self.ended = asyncio.Event()
        self.emit("process.started", program=program, pid=os.getpid())

    def emit(self, name: str, **fields: Any) -> None:
        event = {"seq": len(self.events) + 1, "t": time.monotonic_ns(), "name": name, **fields}
        self.events.append(event)
        for writer in self.subscribers:
            self.write(writer, {"jsonrpc": "2.0", "method": "event", "params": event})

    @staticmethod
    def write(writer: asyncio.StreamWriter, document: Document) -> None:
        if not writer.is_closing():
            writer.write(json.dumps(document).encode() + b"\n")

    async def serve(self) -> None:
        server = await asyncio.start_unix_server(self.client, str(self.control))
        self.emit("control.up")
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.ended.set)
        await self.begin()
        await self.ended.wait()
        self.close()
        server.close()
        self.control.unlink(missing_ok=True)

    async def begin(self) -> None: ...

    def close(self) -> None: ...

    async def client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            request = json.loads(line)
            if request["method"] == "events.subscribe":
                self.subscribers.append(writer)
                self.write(writer, {"jsonrpc": "2.0", "id": request["id"], "result": {"next": 1}})
                for event in self.events:
                    self.write(writer, {"jsonrpc": "2.0", "method": "event", "params": event})
                continue
            if misbehaves("mute") and request["method"] == "counters":
                continue
            try:
                result = self.handle(request["method"], request.get("params") or {})
                self.write(writer, {"jsonrpc": "2.0", "id": request["id"], "result": result})
            except LookupError as error:
                message = {"code": -32000, "message": str(error), "data": {"code": "not_found"}}
                self.write(writer, {"jsonrpc": "2.0", "id": request["id"], "error": message})

    def handle(self, method: str, params: Document) -> Any:
        if method == "resources":
            return {"fds": 8, "threads": 2, "mappings": 60, "rss_kb": 20000}
        if method == "shutdown":
            self.ended.set()
            return {}
        raise LookupError(f"no method {method}")


class Switch(Program):
    """A port is up while its frontend's "device" (a file) is there."""

    def __init__(self, control: Path, directory: Path, config: Path) -> None:
        super().__init__("testbed-switch", control, directory)
        self.config: Document = json.loads(config.read_text())
        self.up: set[str] = set()

    async def begin(self) -> None:
        if misbehaves("die at start"):
            print("double: cannot start: no such thing", file=sys.stderr)
            os._exit(1)
        self.emit("eal.up", memory_mb=64)
        self.emit("switch.ready", generation=1)
        self._watcher = asyncio.create_task(self.watch())

    def close(self) -> None:
        for port in self.config["ports"].values():
            if port.get("role") == "server":
                Path(port["path"]).unlink(missing_ok=True)

    async def watch(self) -> None:
        while not misbehaves("no sessions"):
            for name, port in self.config["ports"].items():
                there = Path(str(port.get("path")) + ".device").exists()
                if there and name not in self.up:
                    self.up.add(name)
                    self.emit("session.connected", port=name, session=1)
                    self.emit("session.up", port=name, session=1, queues=1, packed=False)
                elif not there and name in self.up:
                    self.up.discard(name)
                    self.emit("session.down", port=name, session=1, reason="closed")
            await asyncio.sleep(0.005)

    def handle(self, method: str, params: Document) -> Any:
        if method == "counters":
            zero = {"received": 0, "replicated": 0, "sent": 0, "dropped": 0}
            return {"t": time.monotonic_ns(), "ports": {}, "bricks": {}, "totals": zero}
        if method == "apply":
            for name in params["ports"].keys() - self.config["ports"].keys():
                self.emit("port.added", port=name)
            for name in self.config["ports"].keys() - params["ports"].keys():
                self.emit("port.removed", port=name)
            self.config = params
            return {"generation": 2, "actions": []}
        if method == "disconnect":
            self.up.discard(params["port"])
            self.emit("session.down", port=params["port"], session=1, reason="asked to")
            return {}
        return super().handle(method, params)


class Load(Program):
    def __init__(self, control: Path, directory: Path) -> None:
        super().__init__("testbed-load", control, directory)
        self.frontends: dict[str, Document] = {}
        self.senders: dict[int, Document] = {}
        self.receivers: dict[int, Document] = {}
        self.shared = directory.parent

    async def begin(self) -> None:
        self.emit("eal.up", memory_mb=64)
        self.emit("load.ready")

    def close(self) -> None:
        for frontend in self.frontends.values():
            Path(frontend["path"] + ".device").unlink(missing_ok=True)

    def wire(self, flow: int) -> Path:
        return self.shared / f"flow-{flow}.count"

    def sent(self, sender: Document) -> int:
        end = sender.get("stopped") or time.monotonic()
        return int((end - sender["started"]) * (sender.get("rate_pps") or 100)) if "started" in sender else 0

    def received(self, flow: int) -> int:
        try:
            return int(self.wire(flow).read_text() or 0)
        except (FileNotFoundError, ValueError):
            return 0

    def handle(self, method: str, params: Document) -> Any:
        match method:
            case "frontend.add":
                self.frontends[params["name"]] = params
                Path(params["path"] + ".device").touch()
                self.emit("frontend.link", frontend=params["name"], up=True)
                return {}
            case "frontend.remove":
                Path(self.frontends.pop(params["name"])["path"] + ".device").unlink(missing_ok=True)
                return {}
            case "flow.send":
                self.senders[params["flow"]] = params
                return {}
            case "flow.expect":
                self.receivers[params["flow"]] = params
                return {}
            case "flow.start":
                self.senders[params["flow"]].pop("stopped", None)
                self.senders[params["flow"]].setdefault("started", time.monotonic())
                return {"t": time.monotonic_ns()}
            case "flow.stop":
                for sender in self.senders.values():
                    sender["stopped"] = time.monotonic()
                return {"t": time.monotonic_ns()}
            case "flow.set":
                return {}
            case "flow.counts":
                return self.counts()
            case "flow.report":
                return self.report()
            case "frontend.status":
                return {name: {"link": True, "queues": 1} for name in self.frontends}
        return super().handle(method, params)

    def counts(self) -> Document:
        found: Document = {}
        for flow, sender in self.senders.items():
            self.wire(flow).write_text(str(self.sent(sender)))
            found.setdefault(str(flow), {})["sent"] = self.sent(sender)
        for flow in self.receivers:
            found.setdefault(str(flow), {})["received"] = self.received(flow)
        return found

    def report(self) -> Document:
        now = time.monotonic_ns()
        found: Document = {}
        for flow, sender in self.senders.items():
            count = self.sent(sender)
            self.wire(flow).write_text(str(count))
            found.setdefault(str(flow), {})["sender"] = {
                "flow": flow, "sent": count, "blocked": 0, "first_ns": now - 10**9, "last_ns": now - 10**6,
                "next": [count], "queues": [count],
            }  # fmt: skip
        for flow in self.receivers:
            count = self.received(flow)
            found.setdefault(str(flow), {})["receiver"] = {
                "flow": flow, "received": count, "lost": 0, "duplicated": 0, "reordered": 0, "corrupted": 0,
                "first_ns": now - 10**9, "last_ns": now, "highest": [count - 1], "gaps": [], "outages": [],
                "queues": [count], "foreign_arrivals": [], "latency": empty_histogram(),
            }  # fmt: skip
        return found


class InProcess(Switch):
    """Both in one."""

    def __init__(self, control: Path, directory: Path, config: Path) -> None:
        super().__init__(control, directory, config)
        self.load = Load(control, directory)
        self.load.emit = self.emit  # type: ignore[method-assign]

    def handle(self, method: str, params: Document) -> Any:
        try:
            return super().handle(method, params)
        except LookupError:
            return self.load.handle(method, params)


def main() -> None:
    arguments = dict(zip(sys.argv[2::2], sys.argv[3::2], strict=False))
    control, directory = Path(arguments["--control"]), Path(arguments["--dir"])
    if sys.argv[1] == "switch":
        program: Program = Switch(control, directory, Path(arguments["--config"]))
    elif sys.argv[1] == "inprocess":
        program = InProcess(control, directory, Path(arguments["--config"]))
    else:
        program = Load(control, directory)
    asyncio.run(program.serve())


if __name__ == "__main__":
    main()
