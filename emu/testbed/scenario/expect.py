"""`expect:`: what must hold. Each entry is a mapping with one key, the checker's. Judged by testbed.check."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, create_model, model_validator

from testbed.check.flow import FLOW_RULES
from testbed.check.rules import ALWAYS
from testbed.scenario.fields import Comparison, Limit, Model, Reference, References, Scalar, at
from testbed.scenario.mistakes import did_you_mean, later, one_of, unknown_key


def _rules(names: frozenset[str] | set[str], value: Any) -> dict[str, Any]:
    return dict.fromkeys(sorted(names), (value | None, None))


class _Flow(Model):
    """Of one flow, of several, or without a name of all."""

    name: References | None = None


class _Untouched(Model):
    """Flows that the faults should not touch keep this."""

    flows: References
    rate: Comparison | None = None
    lost: Comparison | None = None
    outages: Comparison | None = None
    p50: Comparison | None = None
    p90: Comparison | None = None
    p99: Comparison | None = None
    p999: Comparison | None = None
    max: Comparison | None = None


class _Queues(Model):
    frontend: References | None = None
    all: Literal["moving"] = "moving"


class _Guest(Model):
    name: References | None = None
    reboots: Limit | None = None
    kernel_errors: Limit | None = None
    link_changes: Limit | None = None
    panics: Limit | None = None
    deaths: Limit | None = None


class _Counter(Model):
    name: str
    port: Reference | None = None
    brick: str | None = None
    switch: str | None = None
    value: Comparison = ">= 1"


class _Leaks(Model):
    """How much more a process may hold afterwards."""

    fds: Comparison | None = None
    threads: Comparison | None = None
    mappings: Comparison | None = None
    mbufs_in_use: Comparison | None = None


class _Answering(Model):
    actor: Reference | None = None
    within: Comparison


class _Known(Model):
    """Cells that match `when` are expected to fail, for this reason; passing would be a surprise, and fail."""

    when: dict[str, Scalar | list[Scalar]]
    fails: References
    because: str = Field(min_length=1)


_FlowRules = create_model("Flow", __base__=_Flow, **_rules(set(FLOW_RULES), Limit))
_AllowRules = create_model(
    "Allow",
    __base__=Model,
    flow=(References | None, None),
    flows=(References | None, None),
    because=(Annotated[str, Field(min_length=1)], ...),
    **_rules(set(ALWAYS), Limit),
)


class _Event(Model):
    """How often something happens. Every other key has to equal the event's field of that name."""

    model_config = Model.model_config | {"extra": "allow"}
    name: str
    count: Comparison = ">= 1"

    @model_validator(mode="before")
    @classmethod
    def known_keys_only(cls, data: Any) -> Any:
        return data


class Expectation(Model):
    """Exactly one of these."""

    flow: _FlowRules | None = None
    untouched: _Untouched | None = None
    queues: _Queues | None = None
    guest: _Guest | None = None
    event: _Event | None = None
    counter: _Counter | None = None
    answering: _Answering | None = None
    conserved: Literal[True] | None = None
    leaks: Literal["none"] | _Leaks | None = None
    allow: _AllowRules | None = None
    known: _Known | None = None

    LATER: ClassVar[frozenset[str]] = frozenset({"migration", "dirty_log", "pages"})

    @model_validator(mode="before")
    @classmethod
    def known_keys_only(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            raise ValueError(
                f"is no expectation; write one like {{flow: {{name: probe, lost: 0}}}}, not {data!r}"
            )
        for key in data:
            if key in cls.LATER:
                raise at(key, later(f"the expectation `{key}`"))
            if key not in cls.model_fields:
                raise at(key, unknown_key(key, cls.model_fields))
        if len(data) != 1:
            raise ValueError(
                f"one expectation has one key, this has {len(data)} ({', '.join(data) or 'none'})"
            )
        return data

    @property
    def kind(self) -> str:
        return next(iter(self.model_fields_set))

    @property
    def body(self) -> Any:
        return getattr(self, self.kind)

    def flows(self) -> list[tuple[tuple[str, ...], str]]:
        """(key below the expectation, name) of every flow it names."""
        keys = {"flow": ["name"], "untouched": ["flows"], "allow": ["flow", "flows"]}.get(self.kind, [])
        return [((self.kind, key), flow) for key in keys for flow in getattr(self.body, key) or []]


def known_event(name: str, names: frozenset[str]) -> str:
    """Why there is no such event, or empty."""
    if name in names:
        return ""
    near = did_you_mean(name, names)
    return f"no event '{name}'{near}" if near else f"no event '{name}'; {one_of(sorted(names))}"
