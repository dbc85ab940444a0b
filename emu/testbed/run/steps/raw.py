"""send, handshake, connect, hang_up: a driver frontend's session, message by message."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from testbed.run.steps.base import Names, Problem, Step, unknown
from testbed.scenario.fields import DurationNs, Number64, Reference, at
from testbed.scenario.mistakes import unknown_key, unknown_name
from testbed.scenario.virtio_names import DESCRIPTORS, REQUESTS, named_by, unknown_request

if TYPE_CHECKING:
    from testbed.run.steps.context import Run

Outcome = Literal["answered", "refused", "silent", "sent", "disconnected", "wrong"]
HandshakeOutcome = Literal["complete", "stopped", "refused", "silent", "disconnected", "wrong"]


def listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def octets(value: Any) -> Any:
    """Octets in hexadecimal; spaces may stand between them."""
    text = str(value).replace(" ", "")
    try:
        bytes.fromhex(text)
    except ValueError:
        raise ValueError(
            f"'{value}' is no row of octets; write two hexadecimal digits for each, in quotes"
        ) from None
    return text


Octets = Annotated[str, BeforeValidator(octets)]


class OnDriver(Step):
    """A step on one driver frontend."""

    breaks: ClassVar[bool] = True

    @property
    def frontend(self) -> str:
        return str(getattr(self, "on", ""))

    def problems(self, names: Names) -> Iterator[Problem]:
        key = "from" if "from_" in type(self).model_fields else "on"
        yield from unknown_driver(self.frontend, names, key)


def unknown_driver(frontend: str, names: Names, key: str) -> Iterator[Problem]:
    if frontend in names.frontends and frontend not in names.drivers:
        what = f"'{frontend}' is no driver; give it `type: driver`, or name one of those that are"
        yield (key,), what
    else:
        yield from unknown("driver frontend", [frontend], names.drivers, key)


class Send(OnDriver):
    """A driver sends any message, whole or in part, well-formed or not. Without `expect` nothing is claimed: whatever the
    backend does is an outcome. `answered`; `refused`: the answer is an error; `silent`: none in time; `sent`: none is due;
    `disconnected`: the backend ended the session; `wrong`: what came back is not an answer to it."""

    kind: ClassVar[str] = "send"
    from_: Reference = Field(alias="from", description="the driver frontend")
    message: str | int | None = Field(None, description="the request, by its name or number")
    payload: dict[str, Any] | Number64 | None = Field(
        None,
        description="its fields as the specification has them, a number, or `{hex: ...}`; the frontend's own when absent",
    )
    fds: list[str] | None = Field(
        None,
        description="descriptors with it: memfd SIZE, readonly SIZE, eventfd, full eventfd, pipe, socket, null, directory, "
        "guest, log; `as NAME` keeps one under a name, which then stands for it",
    )
    flags: Number64 | None = Field(None, description="of the header; version 1 when absent")
    size: Number64 | None = Field(None, description="what the header says; the payload's own when absent")
    need_reply: bool | None = Field(None, description="asks for an answer")
    bytes_: Octets | None = Field(None, alias="bytes", description="these octets, in place of a message")
    cut: int | None = Field(None, ge=0, description="only so many octets leave, the rest never does")
    times: int = Field(1, ge=1, le=100_000, description="how often")
    expect: Annotated[list[Outcome], BeforeValidator(listed)] = Field(
        [], description="what is claimed: one of these"
    )
    within: DurationNs = Field(2 * 10**9, description="how long a disconnect that is claimed may take")

    @property
    def frontend(self) -> str:
        return self.from_

    @model_validator(mode="after")
    def says_what_to_send(self) -> Send:
        if (self.message is None) == (self.bytes_ is None):
            raise ValueError("sends either `message: NAME` or `bytes: ...`")
        if isinstance(self.message, str):
            if what := unknown_request(self.message):
                raise at("message", what)
            if isinstance(self.payload, dict):
                known = [*REQUESTS[self.message], "hex"]
                for key in self.payload:
                    if key not in known:
                        raise at("payload", unknown_key(key, known))
        return self

    def problems(self, names: Names) -> Iterator[Problem]:
        yield from super().problems(names)
        kept = names.descriptors.get(self.from_, frozenset())
        for index, entry in enumerate(self.fds or []):
            if named_by(entry) is None and entry not in kept:
                yield ("fds", index), unknown_name("descriptor", entry, [*DESCRIPTORS, *kept])

    async def execute(self, run: Run) -> None:
        hand = run.hand(self.from_)
        given = {
            "message": self.message,
            "payload": self.payload,
            "fds": self.fds,
            "flags": self.flags,
            "size": self.size,
            "need_reply": self.need_reply,
            "bytes": self.bytes_,
            "cut": self.cut,
        }
        async with run.fault(self.kind, [self.from_]):
            for _ in range(self.times):
                await hand.do(self._what(), "send", given, claims=self.expect, within_ns=self.within)

    def _what(self) -> str:
        cut = "" if self.cut is None else f", {self.cut} octets of it"
        return f"send {self.message if self.bytes_ is None else 'octets'}{cut}"


class Handshake(OnDriver):
    """A driver goes through the handshake by hand, or a part of it; called again it goes on. Connects when it has no
    session. Unless it says otherwise, it claims what it asked for: `complete`, or `stopped`."""

    kind: ClassVar[str] = "handshake"
    shorthand: ClassVar[str] = "on"
    on: Reference = Field(description="the driver frontend")
    stop_after: int | str | None = Field(None, description="so many messages, or a request by name")
    base: Literal["resume", "start", "avail"] | None = Field(
        None, description="what SET_VRING_BASE says: where the ring stands, begins, or has been filled to"
    )
    bases: dict[int, int] | None = Field(None, description="the same by virtqueue, as numbers")
    expect: Annotated[list[HandshakeOutcome], BeforeValidator(listed)] | Literal["any"] | None = Field(
        None, description="what is claimed: one of these; `any` claims nothing"
    )
    within: DurationNs = Field(5 * 10**9, description="the deadline for a backend to connect to")

    @model_validator(mode="after")
    def known_request(self) -> Handshake:
        if isinstance(self.stop_after, str) and (what := unknown_request(self.stop_after)):
            raise at("stop_after", what)
        return self

    def claims(self) -> list[str]:
        if self.expect == "any":
            return []
        return [*self.expect] if self.expect else ["complete" if self.stop_after is None else "stopped"]

    async def execute(self, run: Run) -> None:
        hand = run.hand(self.on)
        async with run.fault(self.kind, [self.on]):
            if not hand.actor.session:
                await hand.connect(self.within)
            bases = None if self.bases is None else {str(vring): base for vring, base in self.bases.items()}
            given = {"stop_after": self.stop_after, "base": self.base, "bases": bases}
            await hand.do(
                "handshake",
                "handshake",
                given,
                claims=self.claims(),
                within_ns=self.within,
                answers=4,
                outcome_of=lambda result: "complete" if result.get("complete") else "stopped",
            )


class Connect(OnDriver):
    """A driver connects and says nothing yet. `by_itself: true` lets it connect and shake hands on its own from now on."""

    kind: ClassVar[str] = "connect"
    shorthand: ClassVar[str] = "on"
    breaks: ClassVar[bool] = False
    on: Reference = Field(description="the driver frontend")
    by_itself: bool = Field(False, description="from now on, whenever it has no session")
    within: DurationNs = Field(5 * 10**9, description="the deadline for a backend to connect to")

    async def execute(self, run: Run) -> None:
        hand = run.hand(self.on)
        if self.by_itself:
            await hand.let_go()
        else:
            await hand.connect(self.within)


class HangUp(OnDriver):
    """A driver closes its session, without a word. It stays away until `connect` or `handshake`, unless it comes back by
    itself."""

    kind: ClassVar[str] = "hang_up"
    shorthand: ClassVar[str] = "on"
    on: Reference = Field(description="the driver frontend")
    by_itself: bool = Field(False, description="it comes back by itself, at once")

    async def execute(self, run: Run) -> None:
        hand = run.hand(self.on)
        async with run.fault(self.kind, [self.on]):
            await hand.hang_up(by_itself=self.by_itself)
