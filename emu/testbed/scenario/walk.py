"""Going through steps and the steps inside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from testbed.run.steps.base import Step
from testbed.scenario.mistakes import Path


def walk_steps(steps: Sequence[Step], path: Path = ("steps",)) -> Iterator[tuple[Path, Step]]:
    """Every step with its place in the file, the outer before the inner."""
    for index, step in enumerate(steps):
        yield from _walk((*path, index), step)


def _walk(path: Path, step: Step) -> Iterator[tuple[Path, Step]]:
    yield path, step
    for below, child in step.children():
        # A shorthand's value stands right below the step's key; line_of() skips what the file does not name.
        yield from _walk((*path, step.kind, *below), child)
