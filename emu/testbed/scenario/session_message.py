"""A message of a vhost-user session, as steps about the socket name it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from testbed.scenario.mistakes import did_you_mean
from testbed.scenario.virtio_names import REQUESTS


def request_name(value: Any) -> str:
    if not isinstance(value, str) or value not in REQUESTS:
        near = did_you_mean(str(value), REQUESTS) or "; docs/protocol.md and the specification list them"
        raise ValueError(f"no request '{value}'{near}")
    return value


def _message(value: Any) -> int | str:
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 1:
            raise ValueError(f"{value} is no message's number; the first of a session is 1")
        return value
    return request_name(value)


# A message of a session: its number from 1, replies counted too, or the name of its request.
Message = Annotated[
    Any,
    BeforeValidator(_message),
    WithJsonSchema(
        {
            "anyOf": [{"type": "integer", "minimum": 1}, {"enum": list(REQUESTS)}],
            "examples": [7, "SET_MEM_TABLE"],
        }
    ),
]
