"""Hugepages for programs that cannot do without: taken when there are too few, and given back.

    with hugepages(512):
        ...

As root the kernel is asked for more; they go back when the block ends, by the number taken, so that two runs on one
machine do not take each other's. Raises Lacking.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from testbed.run.binaries import Lacking

COUNT = Path("/proc/sys/vm/nr_hugepages")


def pages_for(megabytes: int, page_kb: int) -> int:
    return -(-megabytes * 1024 // page_kb)


def _meminfo() -> tuple[int, int]:
    """Free pages, and the size of one in KiB; (0, 0) on a kernel that has none."""
    text = Path("/proc/meminfo").read_text()
    found = dict(re.findall(r"^(HugePages_Free|Hugepagesize):\s+(\d+)", text, re.MULTILINE))
    return int(found.get("HugePages_Free", 0)), int(found.get("Hugepagesize", 0))


def why_none(megabytes: int) -> str:
    """Why they could not be had, without taking them; empty when they probably can."""
    free, size_kb = _meminfo()
    if not size_kb:
        return "this kernel has no hugepages"
    if free < pages_for(megabytes, size_kb) and not (os.geteuid() == 0 and os.access(COUNT, os.W_OK)):
        pages = pages_for(megabytes, size_kb)
        return f"no {megabytes} MB of hugepages; mend it with: echo {pages} | sudo tee {COUNT}"
    return ""


@contextlib.contextmanager
def hugepages(megabytes: int) -> Iterator[None]:
    if why := why_none(megabytes):
        raise Lacking(why)
    free, size_kb = _meminfo()
    missing = max(0, pages_for(megabytes, size_kb) - free)
    before = int(COUNT.read_text())
    if missing:
        COUNT.write_text(str(before + missing))
    taken = int(COUNT.read_text()) - before
    try:
        if taken < missing:
            raise Lacking(f"the kernel had {taken} of {missing} hugepages: its memory is in use or in pieces")
        yield
    finally:
        if taken > 0:
            COUNT.write_text(str(max(0, int(COUNT.read_text()) - taken)))
