"""JSON-RPC 2.0, one document a line (docs/protocol.md): the client side, over any pair of asyncio streams.

    async with await connect(path, name="switch", on_event=history.add) as switch:
        ports = await switch.call("ports", timeout=2)

A call ends in one of four ways: its result, RpcError (the other side said no), RpcTimeout (it said nothing in time),
RpcClosed (the connection went away first). Lines that are no documents are counted in `garbage` and skipped: after a
guest's reset the first line may be the rest of an older one.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import socket
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

Document = dict[str, Any]

# Reports are a single line; docs/protocol.md bounds requests to 4 MiB, replies may be longer.
LINE_LIMIT = 64 << 20


class RpcFailure(Exception):
    """Any way in which a call gives no result."""


class RpcError(RpcFailure):
    """The other side refused: `code` is JSON-RPC's number, `data["code"]` the name of the error (not_found, busy...)."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data

    @property
    def name(self) -> str:
        return str(self.data.get("code", "")) if isinstance(self.data, dict) else ""


class RpcTimeout(RpcFailure):
    """No answer within the deadline."""


class RpcClosed(RpcFailure):
    """The connection ended (or was reset) before the answer came."""


class RpcClient:
    """One connection. Use as an async context manager, or `start` and `close`.

    `on_event` gets the params of each `event` notification, on the event loop's thread, in the order they arrive;
    `on_close` is called once when the other side has gone.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        name: str = "peer",
        on_event: Callable[[Document], None] | None = None,
        on_close: Callable[[], None] | None = None,
    ) -> None:
        self.name = name
        self.garbage = 0
        self._reader = reader
        self._writer = writer
        self._on_event = on_event
        self._on_close = on_close
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def closed(self) -> bool:
        return self._closed

    def start(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._read(), name=f"rpc {self.name}")

    async def call(self, method: str, params: Document | None = None, timeout: float = 5.0) -> Any:
        if self._closed:
            raise RpcClosed(f"{self.name}: {method}: the connection is closed")
        number = next(self._ids)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            async with asyncio.timeout(timeout):
                await self._send({"jsonrpc": "2.0", "id": number, "method": method, "params": params or {}})
                return await answer
        except TimeoutError:
            raise RpcTimeout(f"{self.name}: {method}: no answer within {timeout:g} s") from None
        finally:
            self._waiting.pop(number, None)

    async def notify(self, method: str, params: Document | None = None) -> None:
        await self._send({"jsonrpc": "2.0", "method": method, "params": params or {}})

    def abandon(self, why: str) -> None:
        """Fails every call under way; the connection stays. For a peer that restarts behind a connection that does not."""
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(RpcClosed(f"{self.name}: {why}"))

    async def close(self) -> None:
        self._on_close = None
        self._writer.close()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self._end()

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _send(self, document: Document) -> None:
        try:
            self._writer.write(json.dumps(document, separators=(",", ":")).encode() + b"\n")
            await self._writer.drain()
        except OSError as error:
            raise RpcClosed(f"{self.name}: {error}") from None

    async def _read(self) -> None:
        try:
            while line := await self._reader.readline():
                self._take(line)
        except (OSError, ValueError):  # ValueError: a line beyond LINE_LIMIT
            pass
        finally:
            self._end()

    def _take(self, line: bytes) -> None:
        try:
            document = json.loads(line)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            self.garbage += bool(line.strip())
        elif document.get("method") == "event":
            if self._on_event is not None:
                self._on_event(document.get("params", {}))
        elif isinstance(number := document.get("id"), int):
            answer = self._waiting.get(number)
            if answer is not None and not answer.done():
                _settle(answer, document)

    def _end(self) -> None:
        if self._closed:
            return
        self._closed = True
        self.abandon("the connection was closed by the other side")
        self._writer.close()
        if self._on_close is not None:
            self._on_close()


def _settle(answer: asyncio.Future[Any], document: Document) -> None:
    error = document.get("error")
    if error is None:
        answer.set_result(document.get("result"))
    else:
        answer.set_exception(RpcError(error.get("code", 0), error.get("message", ""), error.get("data")))


async def connect(
    path: str,
    *,
    name: str = "peer",
    on_event: Callable[[Document], None] | None = None,
    on_close: Callable[[], None] | None = None,
) -> RpcClient:
    """A client on a Unix socket. OSError when nobody listens there."""
    reader, writer = await asyncio.open_unix_connection(path, limit=LINE_LIMIT)
    return RpcClient(reader, writer, name=name, on_event=on_event, on_close=on_close)


async def adopt(
    connected: socket.socket,
    *,
    name: str = "peer",
    on_event: Callable[[Document], None] | None = None,
    on_close: Callable[[], None] | None = None,
) -> RpcClient:
    """A client on a socket that is connected already (one end of a socketpair whose other end a child inherited)."""
    reader, writer = await asyncio.open_unix_connection(sock=connected, limit=LINE_LIMIT)
    return RpcClient(reader, writer, name=name, on_event=on_event, on_close=on_close)
