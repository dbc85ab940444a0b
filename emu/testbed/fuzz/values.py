"""Values at which implementations err: the edges of types, of pages, of what the protocol allows."""

from __future__ import annotations

PAGE = 4096
MOST_16, MOST_32, MOST_64 = (1 << 16) - 1, (1 << 32) - 1, (1 << 64) - 1

# Virtqueue indexes: 256 are possible, an octet of SET_VRING_KICK names one, librte_vhost keeps an array of them.
INDEXES = (0, 1, 2, 3, 8, 127, 128, 255, 256, 300, MOST_16, MOST_32)
RING_SIZES = (0, 1, 2, 3, 63, 64, 256, 257, 1024, 32768, 32769, MOST_16, 1 << 16, MOST_32)
BASES = (0, 1, 63, 64, 255, 0x7FFF, 0x8000, 0x8001, MOST_16, 1 << 16, 0x80008000, MOST_32)
SIZES = (
    0,
    1,
    63,
    64,
    PAGE - 1,
    PAGE,
    PAGE + 1,
    1 << 16,
    1 << 20,
    1 << 32,
    1 << 46,
    1 << 63,
    MOST_64 - PAGE + 1,
    MOST_64,
)
OFFSETS = (0, 0, 1, PAGE - 1, PAGE, 8 * PAGE, 1 << 19, 1 << 32, 1 << 63, MOST_64 - PAGE + 1, MOST_64)
ADDRESSES = (0, 1, PAGE, PAGE - 1, 1 << 20, 1 << 32, 1 << 47, MOST_64 - PAGE + 1, MOST_64)
COUNTS_16 = (0, 1, 2, 8, 128, 129, 256, 1024, 32768, MOST_16)
SMALL = (0, 1, 2, 3, 4, 7, 255)
MTUS = (0, 67, 68, 1500, 9000, MOST_16, 1 << 16, MOST_64)
REGION_COUNTS = (0, 1, 2, 8, 9, 255, MOST_32)

# Frame and descriptor lengths, around the two header sizes (10, 12) and the shortest frames.
LENGTHS = (0, 1, 2, 9, 10, 11, 12, 13, 14, 25, 26, 60, 64, 1514, 2048, PAGE, 65535, 65536, 1 << 31, MOST_32)

# Feature bits (virtio 1.2, 6 and 5.1.3; vhost-user): each alone turned over is a mutation of what a frontend would say.
LOG_ALL, PROTOCOL_FEATURES, VERSION_1, PLATFORM, PACKED = 26, 30, 32, 33, 34
FEATURE_BITS = (
    0,
    1,
    5,
    15,
    17,
    22,
    LOG_ALL,
    28,
    29,
    PROTOCOL_FEATURES,
    VERSION_1,
    PLATFORM,
    PACKED,
    35,
    40,
    60,
    63,
)
ORDINARY_FEATURES = 1 << VERSION_1 | 1 << PROTOCOL_FEATURES | 1 << 15 | 1 << 28

DESCRIPTORS = (
    "memfd 0", "memfd 1", "memfd 4096", "memfd 8192", "memfd 1048576", "readonly 4096", "eventfd", "full eventfd",
    "pipe", "socket", "null", "directory", "guest",
)  # fmt: skip
