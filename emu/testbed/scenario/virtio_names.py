"""Names of the specifications that a scenario may write: feature bits, requests, what a request carries.

The program behind them has its own list (vdev/wire); a test holds the two against each other.
"""

from __future__ import annotations

import re

from testbed.scenario.mistakes import did_you_mean, unknown_name

FEATURES = frozenset(
    """
    NET_CSUM NET_GUEST_CSUM NET_CTRL_GUEST_OFFLOADS NET_MTU NET_MAC NET_GSO NET_GUEST_TSO4 NET_GUEST_TSO6 NET_GUEST_ECN
    NET_GUEST_UFO NET_HOST_TSO4 NET_HOST_TSO6 NET_HOST_ECN NET_HOST_UFO NET_MRG_RXBUF NET_STATUS NET_CTRL_VQ NET_CTRL_RX
    NET_CTRL_VLAN NET_CTRL_RX_EXTRA NET_GUEST_ANNOUNCE NET_MQ NET_CTRL_MAC_ADDR NOTIFY_ON_EMPTY LOG_ALL ANY_LAYOUT
    RING_INDIRECT_DESC RING_EVENT_IDX PROTOCOL_FEATURES VERSION_1 ACCESS_PLATFORM RING_PACKED IN_ORDER ORDER_PLATFORM
    SR_IOV NOTIFICATION_DATA NOTIF_CONFIG_DATA RING_RESET NET_HOST_USO NET_HASH_REPORT NET_GUEST_HDRLEN NET_RSS
    NET_RSC_EXT NET_STANDBY NET_SPEED_DUPLEX
    """.split()
)

PROTOCOL_FEATURES = frozenset(
    """
    MQ LOG_SHMFD RARP REPLY_ACK MTU BACKEND_REQ CROSS_ENDIAN CRYPTO_SESSION PAGEFAULT CONFIG BACKEND_SEND_FD
    HOST_NOTIFIER INFLIGHT_SHMFD RESET_DEVICE INBAND_NOTIFICATIONS CONFIGURE_MEM_SLOTS STATUS XEN_MMAP SHARED_OBJECT
    DEVICE_STATE GET_VRING_BASE_INFLIGHT
    """.split()
)

_U64 = ("u64",)
_STATE = ("index", "num")
_FILE = ("index", "nofd")
_REGION = ("gpa", "size", "user", "offset")
_CONFIG = ("offset", "size", "flags", "bytes")
_INFLIGHT = ("mmap_size", "mmap_offset", "num_queues", "queue_size")

# Request -> the fields of its payload.
REQUESTS: dict[str, tuple[str, ...]] = {
    "GET_FEATURES": (),
    "SET_FEATURES": _U64,
    "SET_OWNER": (),
    "RESET_OWNER": (),
    "SET_MEM_TABLE": ("regions", "count"),
    "SET_LOG_BASE": ("size", "offset"),
    "SET_LOG_FD": (),
    "SET_VRING_NUM": _STATE,
    "SET_VRING_ADDR": ("index", "flags", "descriptor", "used", "available", "log"),
    "SET_VRING_BASE": _STATE,
    "GET_VRING_BASE": _STATE,
    "SET_VRING_KICK": _FILE,
    "SET_VRING_CALL": _FILE,
    "SET_VRING_ERR": _FILE,
    "GET_PROTOCOL_FEATURES": (),
    "SET_PROTOCOL_FEATURES": _U64,
    "GET_QUEUE_NUM": (),
    "SET_VRING_ENABLE": _STATE,
    "SEND_RARP": _U64,
    "NET_SET_MTU": _U64,
    "SET_BACKEND_REQ_FD": (),
    "IOTLB_MSG": ("iova", "size", "user", "permission", "type"),
    "SET_VRING_ENDIAN": _STATE,
    "GET_CONFIG": _CONFIG,
    "SET_CONFIG": _CONFIG,
    "CREATE_CRYPTO_SESSION": (),
    "CLOSE_CRYPTO_SESSION": (),
    "POSTCOPY_ADVISE": (),
    "POSTCOPY_LISTEN": (),
    "POSTCOPY_END": (),
    "GET_INFLIGHT_FD": _INFLIGHT,
    "SET_INFLIGHT_FD": _INFLIGHT,
    "GPU_SET_SOCKET": (),
    "RESET_DEVICE": (),
    "VRING_KICK": _STATE,
    "GET_MAX_MEM_SLOTS": (),
    "ADD_MEM_REG": _REGION,
    "REM_MEM_REG": _REGION,
    "SET_STATUS": _U64,
    "GET_STATUS": (),
    "GET_SHARED_OBJECT": (),
    "SET_DEVICE_STATE_FD": ("direction", "phase"),
    "CHECK_DEVICE_STATE": (),
}

DESCRIPTORS = (
    "memfd SIZE",
    "readonly SIZE",
    "eventfd",
    "full eventfd",
    "pipe",
    "socket",
    "null",
    "directory",
    "guest",
    "log",
)
_DESCRIPTOR = re.compile(
    r"(?:(?:memfd|readonly) (?:0x[0-9a-fA-F]+|\d+)|eventfd|full eventfd|pipe|socket|null|directory|guest|log)"
    r"(?: as ([A-Za-z][\w-]*))?"
)


def unknown_feature(name: str, *, protocol: bool = False) -> str:
    """Why there is no such feature bit, or empty. `bit 42` stands for one without a name."""
    known = PROTOCOL_FEATURES if protocol else FEATURES
    wanted = name.upper()
    number = wanted.removeprefix("BIT ")
    if wanted.startswith("BIT ") and number.isdigit() and int(number) < 64:
        return ""
    if wanted in known or (not protocol and {f"NET_{wanted}", f"RING_{wanted}"} & known):
        return ""
    kind = "protocol feature" if protocol else "feature"
    short = [full.removeprefix("NET_").removeprefix("RING_") for full in known]
    near = did_you_mean(wanted, [*known, *short])
    return f"no {kind} '{name}'{near}; write one like mrg_rxbuf, or `bit 42`"


def unknown_request(name: str) -> str:
    """Why there is no such message, or empty."""
    return "" if name in REQUESTS else unknown_name("message", name, REQUESTS)


def named_by(descriptor: str) -> str | None:
    """The name that a description of a descriptor gives it (`memfd 8192 as table`), empty without one; None: it is no
    description."""
    match = _DESCRIPTOR.fullmatch(descriptor)
    return None if match is None else match[1] or ""
