"""The named benches: which subjects, beside which yardstick, under which loads."""

from __future__ import annotations

from collections.abc import Callable

from testbed.bench.model import Case, Load

OURS = ("switch-library", "switch-ring")
YARDSTICK = "testpmd-io"


def _beside(subjects: tuple[str, ...], loads: list[Load], against: str = YARDSTICK) -> list[Case]:
    return [Case(load, subject, against) for load in loads for subject in subjects]


def rings() -> list[Case]:
    return _beside(OURS, [Load("split"), Load("packed")])


BENCHES: dict[str, Callable[[], list[Case]]] = {
    "rings": rings,
}
DEFAULT = tuple(BENCHES)
QUICK = ("rings",)
