"""Documents of steps and the steps they stand for."""

from __future__ import annotations

from pydantic import TypeAdapter, ValidationError

from testbed.fuzz.grammar import Document, Steps
from testbed.run.steps.base import Step
from testbed.run.steps.registry import AnyStep

_STEPS: TypeAdapter[list[Step]] = TypeAdapter(list[AnyStep])


def parsed(steps: Steps) -> list[Step]:
    """ValidationError"""
    return _STEPS.validate_python(steps)


def is_step(document: Document) -> bool:
    try:
        parsed([document])
    except ValidationError:
        return False
    return True
