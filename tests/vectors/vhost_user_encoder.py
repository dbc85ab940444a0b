"""An encoder of vhost-user messages, written from the specification and from nothing else in this project.

It is what the C++ encoders are held against, through the vectors in vhost_user.json: a misreading would have to happen
three times to go unnoticed.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any

VERSION, REPLY, NEED_REPLY = 0x1, 0x4, 0x8
NO_DESCRIPTOR = 1 << 8
Payload = Mapping[str, Any]

NUMBERS = {
    name: number
    for number, name in enumerate(
        "GET_FEATURES SET_FEATURES SET_OWNER RESET_OWNER SET_MEM_TABLE SET_LOG_BASE SET_LOG_FD SET_VRING_NUM "
        "SET_VRING_ADDR SET_VRING_BASE GET_VRING_BASE SET_VRING_KICK SET_VRING_CALL SET_VRING_ERR "
        "GET_PROTOCOL_FEATURES SET_PROTOCOL_FEATURES GET_QUEUE_NUM SET_VRING_ENABLE SEND_RARP NET_SET_MTU "
        "SET_BACKEND_REQ_FD IOTLB_MSG SET_VRING_ENDIAN GET_CONFIG SET_CONFIG CREATE_CRYPTO_SESSION "
        "CLOSE_CRYPTO_SESSION POSTCOPY_ADVISE POSTCOPY_LISTEN POSTCOPY_END GET_INFLIGHT_FD SET_INFLIGHT_FD "
        "GPU_SET_SOCKET RESET_DEVICE VRING_KICK GET_MAX_MEM_SLOTS ADD_MEM_REG REM_MEM_REG SET_STATUS GET_STATUS "
        "GET_SHARED_OBJECT SET_DEVICE_STATE_FD CHECK_DEVICE_STATE".split(),
        start=1,
    )
}

BACKEND_NUMBERS = {
    name: number
    for number, name in enumerate(
        "IOTLB_MSG CONFIG_CHANGE_MSG VRING_HOST_NOTIFIER_MSG VRING_CALL VRING_ERR SHARED_OBJECT_ADD "
        "SHARED_OBJECT_REMOVE SHARED_OBJECT_LOOKUP".split(),
        start=1,
    )
}
# Requests whose answer the specification promises whatever NEED_REPLY says (SET_LOG_BASE: under LOG_SHMFD).
ANSWERED = (
    "GET_FEATURES SET_LOG_BASE GET_VRING_BASE GET_PROTOCOL_FEATURES GET_QUEUE_NUM GET_CONFIG POSTCOPY_ADVISE POSTCOPY_END "
    "GET_INFLIGHT_FD GET_MAX_MEM_SLOTS GET_STATUS SET_DEVICE_STATE_FD CHECK_DEVICE_STATE".split()
)


def u64(payload: Payload) -> bytes:
    return struct.pack("=Q", payload["u64"])


def state(payload: Payload) -> bytes:
    return struct.pack("=II", payload["index"], payload["num"])


def address(payload: Payload) -> bytes:
    fields = [payload[name] for name in ("index", "flags", "descriptor", "used", "available", "log")]
    return struct.pack("=IIQQQQ", *fields)


def descriptor(payload: Payload) -> bytes:
    return struct.pack("=Q", payload["index"] | (NO_DESCRIPTOR if payload.get("nofd") else 0))


def region(payload: Payload) -> bytes:
    return struct.pack("=QQQQ", payload["gpa"], payload["size"], payload["user"], payload["offset"])


def single_region(payload: Payload) -> bytes:
    return struct.pack("=Q", 0) + region(payload)


def table(payload: Payload) -> bytes:
    regions = payload["regions"]
    return struct.pack("=I4x", len(regions)) + b"".join(region(one) for one in regions)


def log(payload: Payload) -> bytes:
    return struct.pack("=QQ", payload["size"], payload["offset"])


def iotlb(payload: Payload) -> bytes:
    fields = [payload[name] for name in ("iova", "size", "user", "permission", "type")]
    return struct.pack("=QQQBB6x", *fields)


def config(payload: Payload) -> bytes:
    head = struct.pack("=III", payload["offset"], payload["size"], payload["flags"])
    return head + bytes.fromhex(payload["bytes"])


def inflight(payload: Payload) -> bytes:
    fields = [payload[name] for name in ("mmap_size", "mmap_offset", "num_queues", "queue_size")]
    return struct.pack("=QQHH4x", *fields)


def device_state(payload: Payload) -> bytes:
    return struct.pack("=II", payload["direction"], payload["phase"])


def area(payload: Payload) -> bytes:
    return descriptor(payload) + struct.pack("=QQ", payload["size"], payload["offset"])


def uuid(payload: Payload) -> bytes:
    return bytes.fromhex(payload["uuid"])


def _for_each(encode: Callable[[Payload], bytes], names: str) -> dict[str, Callable[[Payload], bytes]]:
    return dict.fromkeys(names.split(), encode)


ENCODERS = (
    _for_each(u64, "SET_FEATURES SET_PROTOCOL_FEATURES SEND_RARP NET_SET_MTU SET_STATUS")
    | _for_each(
        state,
        "SET_VRING_NUM SET_VRING_BASE GET_VRING_BASE SET_VRING_ENABLE SET_VRING_ENDIAN VRING_KICK",
    )
    | _for_each(address, "SET_VRING_ADDR")
    | _for_each(descriptor, "SET_VRING_KICK SET_VRING_CALL SET_VRING_ERR")
    | _for_each(table, "SET_MEM_TABLE")
    | _for_each(single_region, "ADD_MEM_REG REM_MEM_REG")
    | _for_each(log, "SET_LOG_BASE")
    | _for_each(iotlb, "IOTLB_MSG")
    | _for_each(config, "GET_CONFIG SET_CONFIG")
    | _for_each(inflight, "GET_INFLIGHT_FD SET_INFLIGHT_FD")
    | _for_each(device_state, "SET_DEVICE_STATE_FD")
)


def encode(message: str, payload: Payload, *, need_reply: bool = False) -> bytes:
    body = ENCODERS[message](payload) if message in ENCODERS else b""
    flags = VERSION | (NEED_REPLY if need_reply else 0)
    return struct.pack("=III", NUMBERS[message], flags, len(body)) + body


def encode_answer(message: str, payload: Payload) -> bytes:
    """What a back-end answers: a number, or the payload of the request filled in."""
    body = u64(payload) if "u64" in payload else ENCODERS[message](payload) if payload else b""
    return struct.pack("=III", NUMBERS[message], VERSION | REPLY, len(body)) + body


BACKEND_ENCODERS = (
    _for_each(iotlb, "IOTLB_MSG")
    | _for_each(area, "VRING_HOST_NOTIFIER_MSG")
    | _for_each(state, "VRING_CALL VRING_ERR")
    | _for_each(uuid, "SHARED_OBJECT_ADD SHARED_OBJECT_REMOVE SHARED_OBJECT_LOOKUP")
)


def encode_backend(message: str, payload: Payload, *, need_reply: bool = False) -> bytes:
    """What a back-end asks on its own channel."""
    body = BACKEND_ENCODERS[message](payload) if message in BACKEND_ENCODERS else b""
    flags = VERSION | (NEED_REPLY if need_reply else 0)
    return struct.pack("=III", BACKEND_NUMBERS[message], flags, len(body)) + body


def acknowledge(message: str) -> bytes:
    """What the front-end says to such a request that asked for it, and succeeded."""
    return struct.pack("=IIIQ", BACKEND_NUMBERS[message], VERSION | REPLY, 8, 0)
