"""A step: how it is written, what it names, how it is done, and, where it breaks something, how it is healed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import model_validator

from testbed.scenario.fields import Model
from testbed.scenario.mistakes import Path, unknown_name
from testbed.scenario.topology import Driver, Frontend, Qemu, VirtioUser

if TYPE_CHECKING:
    from testbed.run.steps.context import Run


@dataclass(frozen=True)
class Names:
    """Everything a step may name."""

    switches: frozenset[str] = frozenset()
    frontends: dict[str, Frontend] = field(default_factory=dict)
    ports: frozenset[str] = (
        frozenset()
    )  # those that steps add included; a.p0 where there are several switches
    attached: frozenset[str] = frozenset()  # ports that a frontend of the file sits at
    flows: frozenset[str] = frozenset()
    bricks: frozenset[str] = frozenset()  # named as ports are
    descriptors: dict[str, frozenset[str]] = field(default_factory=dict)  # that steps keep, by driver

    @property
    def actors(self) -> frozenset[str]:
        return self.switches | self.frontends.keys()

    @property
    def guests(self) -> frozenset[str]:
        return frozenset(name for name, spec in self.frontends.items() if isinstance(spec, Qemu))

    @property
    def drivers(self) -> frozenset[str]:
        return frozenset(name for name, spec in self.frontends.items() if isinstance(spec, Driver))

    def shares_a_process(self, actor: str) -> bool:
        spec = self.frontends.get(actor)
        return isinstance(spec, VirtioUser) and spec.placement == "in-process"


Problem = tuple[Path, str]  # where below the step, and what


class Step(Model):
    """One kind of step. In a scenario it is a mapping with one key, `kind`; a bare value there fills `shorthand`."""

    kind: ClassVar[str]
    shorthand: ClassVar[str] = ""
    breaks: ClassVar[bool] = False  # it is a fault: `random` may choose it and heal it

    @model_validator(mode="before")
    @classmethod
    def unwrap(cls, data: Any) -> Any:
        if not isinstance(data, dict) or list(data) != [cls.kind]:
            return data
        value = data[cls.kind]
        if isinstance(value, dict) and not cls.takes_mapping():
            return value
        if not cls.shorthand:
            raise ValueError(f"`{cls.kind}:` needs a mapping: {', '.join(cls.keys())}")
        return {cls.shorthand: value}

    @classmethod
    def keys(cls) -> list[str]:
        return [field.alias or name for name, field in cls.model_fields.items()]

    @classmethod
    def takes_mapping(cls) -> bool:
        """Whether a bare mapping is the shorthand's value and not the step's own keys."""
        return False

    def problems(self, names: Names) -> Iterator[Problem]:
        """What it names that does not exist."""
        yield from ()

    def children(self) -> Iterator[tuple[Path, Step]]:
        """Steps inside this one."""
        yield from ()

    async def execute(self, run: Run) -> None:
        raise NotImplementedError

    async def heal(self, run: Run) -> None:
        """Undoes what `execute` broke, so that things may come back. Nothing where they come back by themselves."""

    def text(self) -> str:
        """One line, as a person would write it."""
        body = self.model_dump(by_alias=True, exclude_unset=True, mode="json", exclude={"within"})
        if set(body) <= {self.shorthand}:
            body = body.get(self.shorthand, "")
        return f"{self.kind}: {written(body)}"


def written(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {written(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return written(value[0]) if len(value) == 1 else "[" + ", ".join(map(written, value)) + "]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def unknown(kind: str, wanted: list[str], there: frozenset[str], key: str) -> Iterator[Problem]:
    """A problem for each name that is not among those of its kind."""
    for index, name in enumerate(wanted):
        if name not in there:
            yield (key, index), unknown_name(kind, name, there)
