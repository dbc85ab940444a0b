"""`expect:`: what must hold. Each entry is a mapping with one key, the checker's. Judged by testbed.check."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, create_model, model_validator

from testbed.check.flow import FLOW_RULES
from testbed.check.rules import ALWAYS
from testbed.scenario.fields import Comparison, Limit, Model, Reference, References, Scalar, at
from testbed.scenario.mistakes import did_you_mean, one_of, unknown_key


def _rules(texts: dict[str, str], value: Any) -> dict[str, Any]:
    return {name: (value | None, Field(None, description=text)) for name, text in texts.items()}


_FLOW_TEXTS = {
    "lost": "packets sent and never received; a number, or in % of those sent; `outside outages` may follow",
    "outage": "the longest silence of the receiver, a duration",
    "outages": "how many there were",
    "duplicated": "packets that arrived twice; 0 unless it is written",
    "corrupted": "packets with other octets than were sent; 0 unless it is written",
    "misdelivered": "packets that came to an end they were not for; 0 unless it is written",
    "reordered": "packets that came after a later one of their stream",
    "sent": "packets",
    "received": "packets",
    "blocked": "packets that found the ring full or the link down, and were not sent",
    "p50": "half of the packets took no longer, a duration, one way",
    "p90": "90 % took no longer",
    "p99": "99 % took no longer; unknown with less than 1000 packets",
    "p999": "99.9 % took no longer; unknown with less than 10 000 packets",
    "max": "the slowest packet's latency",
}
assert _FLOW_TEXTS.keys() == FLOW_RULES, "every rule of the checker has a line here"

_ALWAYS_TEXTS = {
    "corrupted": "packets with other octets than were sent, of each flow",
    "misdelivered": "packets that came to an end they were not for, of each flow",
    "duplicated": "packets that arrived twice, of each flow",
    "stray": "octets written to a driver guest's memory where it had posted nothing, of each driver frontend",
    "unreturned": "octets written to buffers that are never given back, of each driver frontend",
    "ring_faults": "things on a virtqueue that no device may do, of each driver frontend",
    "incomplete": "pages written and not in the dirty log, of each driver frontend that logs",
    "event_words": "times event words of a packed ring were written and their page not logged, of each such driver frontend",
    "unasked": "pages in the dirty log while logging was off, of each driver frontend that logs",
    "leaks": "things that a process or the run left behind",
    "unaccounted": "accounts of the switch that do not add up",
    "unanswered": "control calls without an answer in time",
    "deaths": "processes and guests that ended unasked",
}
assert _ALWAYS_TEXTS.keys() == set(ALWAYS), "every rule that is always on has a line here"


class _Flow(Model):
    """What is promised of one flow, of several, or without a name of all."""

    name: References | None = Field(None, description="flows; all when absent")


class _Untouched(Model):
    """Flows that the faults should not touch keep this."""

    flows: References = Field(description="those that no fault should reach")
    rate: Comparison | None = Field(
        None, description="received during the faults and after them, as a share of before; the worse counts"
    )
    lost: Comparison | None = Field(None, description="packets, of the whole flow")
    outages: Comparison | None = Field(None, description="silences, of the whole flow")
    p50: Comparison | None = Field(None, description="latency: a duration, or a multiple (1.5x) of before")
    p90: Comparison | None = Field(None, description="the same of 90 %")
    p99: Comparison | None = Field(None, description="the same of 99 %")
    p999: Comparison | None = Field(None, description="the same of 99.9 %")
    max: Comparison | None = Field(None, description="the same of the slowest packet")


class _Queues(Model):
    """Every queue pair of a frontend carried packets, since the switch's last start too."""

    frontend: References | None = Field(None, description="frontends; all when absent")
    all: Literal["moving"] = Field("moving", description="says it aloud")


class _Guest(Model):
    """What happened inside guests."""

    name: References | None = Field(None, description="guests; all when absent")
    reboots: Limit | None = Field(None, description="how often it booted again, asked for or not")
    kernel_errors: Limit | None = Field(None, description="lines of its kernel at level error or worse")
    link_changes: Limit | None = Field(None, description="of its network device, from the first step on")
    panics: Limit | None = Field(None, description="of its kernel")
    deaths: Limit | None = Field(
        None, description="ends, panics and reboots that nobody asked for; 0 unless allowed"
    )


class _Counter(Model):
    """One of the switch's counters, added over all its lives."""

    name: str = Field(
        description="the counter: received, sent, replicated, dropped, or a drop_... of docs/protocol.md"
    )
    port: Reference | None = Field(
        None, description="of this port; with neither port nor brick, of the whole switch"
    )
    brick: str | None = Field(None, description="of this brick")
    switch: str | None = Field(None, description="which switch, where there are several; all when absent")
    value: Comparison = Field(">= 1", description="what it has to be")


class _Leaks(Model):
    """How much more a process may hold afterwards."""

    fds: Comparison | None = Field(None, description="file descriptors")
    threads: Comparison | None = Field(None, description="threads")
    mappings: Comparison | None = Field(None, description="mappings of memory")
    mbufs_in_use: Comparison | None = Field(None, description="packets taken from pools and not given back")


class _Answering(Model):
    """Control calls are answered this fast, also while something is broken."""

    actor: Reference | None = Field(None, description="whose calls; everybody's when absent")
    within: Comparison = Field(description="the slowest answer, a duration")


class _Migration(Model):
    """What moving a guest was to cost. That it arrived whole, was never in two places and was announced always holds."""

    frontend: References | None = Field(None, description="guests; all driver frontends when absent")
    identical: Literal[True] = Field(True, description="says it aloud: no page differed")
    downtime: Comparison | None = Field(
        None, description="from the rings' stop at the source to their start at the destination, a duration"
    )
    total: Comparison | None = Field(None, description="of the whole migration, a duration")
    rounds: Comparison | None = Field(None, description="of copying while the rings ran")
    completed: Comparison | None = Field(None, description="how many arrived")
    cancelled: Comparison | None = Field(None, description="how many were called off")
    failed: Comparison | None = Field(
        None, description="how many failed or did not end; 0 unless it is written"
    )


class _Known(Model):
    """Cells that match `when` are expected to fail, for this reason; passing would be a surprise, and fail."""

    when: dict[str, Scalar | list[Scalar]] = Field(
        description="axes of the matrix, `backend` or `datapath`, with the value or values that are meant"
    )
    fails: References = Field(description="a checker, a checker and its subject (`flow probe`), or a rule")
    because: str = Field(min_length=1, description="the reason, for whoever reads the report")


class _Allow(Model):
    """What is always forbidden may happen so often. A bare number is the most that may."""


_FlowRules = create_model("FlowRules", __base__=_Flow, __doc__=_Flow.__doc__, **_rules(_FLOW_TEXTS, Limit))
_AllowRules = create_model(
    "AllowRules",
    __base__=_Allow,
    __doc__=_Allow.__doc__,
    flow=(References | None, Field(None, description="the same as `flows`")),
    flows=(References | None, Field(None, description="for these flows only; for all when absent")),
    frontends=(
        References | None,
        Field(None, description="for these driver frontends only; for all when absent"),
    ),
    because=(
        Annotated[str, Field(min_length=1)],
        Field(description="the reason, for whoever reads the report"),
    ),
    **_rules(_ALWAYS_TEXTS, Limit),
)


class _Event(Model):
    """How often something happens. Every other key has to equal the event's field of that name."""

    model_config = Model.model_config | {"extra": "allow"}
    name: str = Field(description="one of the events below")
    count: Comparison = Field(">= 1", description="how often")

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
    conserved: Literal[True] | None = Field(
        None,
        description="every packet that entered the switch left it or was dropped under a name; always on",
    )
    leaks: Literal["none"] | _Leaks | None = Field(
        None, description="`none` says what holds anyhow; a mapping sets how much more a process may hold"
    )
    pages: Literal["clean"] | None = Field(
        None, description="nothing was written to a driver guest's memory where it posted nothing; always on"
    )
    dirty_log: Literal["complete"] | None = Field(
        None,
        description="every page that was written while a `log` step had it logged is in the log; always on",
    )
    migration: _Migration | None = None
    allow: _AllowRules | None = None
    known: _Known | None = None

    @model_validator(mode="before")
    @classmethod
    def known_keys_only(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            raise ValueError(
                f"is no expectation; write one like {{flow: {{name: probe, lost: 0}}}}, not {data!r}"
            )
        for key in data:
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
