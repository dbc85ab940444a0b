"""Every step there is. A new one is a class, and a line here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Union

from pydantic import BeforeValidator, Discriminator, Tag, WithJsonSchema

from testbed.run.steps.base import Step
from testbed.run.steps.change import Apply, Disconnect, Queues, SetFlow
from testbed.run.steps.control import Parallel, Random, Repeat
from testbed.run.steps.guest import Exec, Reboot, Reload, Reset
from testbed.run.steps.life import Continue, Kill, Restart, Shutdown, Start, Stop
from testbed.run.steps.log import Log
from testbed.run.steps.memory import Block, Chain, Flip, Kick, Poke, Resize, Rings, Virtqueue
from testbed.run.steps.migrate import Migrate
from testbed.run.steps.raw import Connect, Handshake, HangUp, Send
from testbed.run.steps.timing import Label, RunFor, Wait
from testbed.run.steps.wire import (
    Corrupt,
    Cut,
    Delay,
    DropReply,
    DuplicateReply,
    Heal,
    Hold,
    LoseFd,
    Slow,
)
from testbed.scenario.fields import at
from testbed.scenario.mistakes import unknown_key

STEPS: dict[str, type[Step]] = {
    step.kind: step
    for step in (
        RunFor,
        Wait,
        Start,
        Kill,
        Stop,
        Continue,
        Restart,
        Shutdown,
        Disconnect,
        Apply,
        SetFlow,
        Exec,
        Reboot,
        Reset,
        Reload,
        Queues,
        Connect,
        Handshake,
        Send,
        HangUp,
        Chain,
        Kick,
        Poke,
        Flip,
        Resize,
        Block,
        Virtqueue,
        Rings,
        Log,
        Migrate,
        Cut,
        Hold,
        Delay,
        DropReply,
        DuplicateReply,
        LoseFd,
        Corrupt,
        Slow,
        Heal,
        Label,
        Repeat,
        Parallel,
        Random,
    )
}


def _one_known_key(value: Any) -> Any:
    if isinstance(value, Step):
        return value
    if isinstance(value, str):
        hint = f"write `{value}: ...`" if value in STEPS else "write one like `run: 2s`"
        raise ValueError(f"'{value}' is no step; {hint}")
    if not isinstance(value, dict):
        raise ValueError("is no step; write one like `run: 2s`")
    for key in value:
        if key not in STEPS:
            raise at(key, unknown_key(key, STEPS).replace("unknown key", "no step", 1))
    if len(value) != 1:
        listed = ", ".join(value) or "nothing"
        raise ValueError(f"one step has one key, this has {listed}; start each step with its own `- `")
    return value


def _kind_of(value: Any) -> str:
    return value.kind if isinstance(value, Step) else str(next(iter(value)))


if TYPE_CHECKING:
    AnyStep = Step
else:
    AnyStep = Annotated[
        Annotated[
            Union[tuple(Annotated[step, Tag(kind)] for kind, step in STEPS.items())],  # noqa: UP007
            Discriminator(_kind_of),
        ],
        BeforeValidator(_one_known_key),
        WithJsonSchema({"x-is": "Step"}),  # scenario/schema.py puts the steps there
    ]
    for _nested in (Repeat, Parallel, Random):
        _nested.model_rebuild(force=True, _types_namespace={"AnyStep": AnyStep})
