"""The reference chapter of docs/scenarios.md, from the models and the registry of steps.

    python -m testbed.scenario.reference

rewrites what stands between the two markers in docs/scenarios.md. A test holds the file against this.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from testbed.run.steps.base import Step
from testbed.run.steps.registry import STEPS
from testbed.scenario.event_names import EVENTS
from testbed.scenario.expect import Expectation
from testbed.scenario.fields import Model
from testbed.scenario.model import Scenario
from testbed.scenario.reference_examples import BEFORE, EXPECTATIONS, HOST
from testbed.scenario.reference_examples import STEPS as STEP_EXAMPLES
from testbed.scenario.reference_values import Links, default, models_in, value
from testbed.scenario.schema import Schema
from testbed.scenario.topology import (
    CaptureBrick,
    Driver,
    Flow,
    HubBrick,
    LinkPort,
    NicPort,
    Qemu,
    Switch,
    SwitchBrick,
    VhostPort,
    VirtioUser,
)

DOCUMENT = Path(__file__).parents[3] / "docs" / "scenarios.md"
BEGIN = "<!-- reference: begin (made by `python -m testbed.scenario.reference`; edit the models instead) -->"
END = "<!-- reference: end -->"

# Sections of the topology: heading, model.
_PARTS: dict[str, type[Model]] = {
    "Switch": Switch,
    "Port: vhost": VhostPort,
    "Port: nic": NicPort,
    "Port: link": LinkPort,
    "Brick: switch": SwitchBrick,
    "Brick: hub": HubBrick,
    "Brick: capture": CaptureBrick,
    "Frontend: virtio-user": VirtioUser,
    "Frontend: qemu": Qemu,
    "Frontend: driver": Driver,
    "Flow": Flow,
}
_LINKS: Links = {
    model.__name__: f"[{title.rpartition(' ')[2].lower()}](#{title.lower().replace(': ', '-')})"
    for title, model in _PARTS.items()
} | {"Expectation": "[expectation](#expectations)"}

VALUES = """\
### Values

| kind | written | meaning |
|---|---|---|
| duration | `150ms` `2s` `5min` | with one of ns, us, ms, s, min, h; a bare number is refused |
| rate | `20kpps` `1.5Mpps` `100Mbps` | packets a second, or bits of frames without FCS a second |
| size | `64` `64..1500` `imix` | octets of a frame without FCS; a range is uniform |
| memory | `256M` `1G` | whole megabytes |
| integer | `4096` `0x100000000` `64K` | of 64 bits; octets, an address or a mask |
| address | an integer, `buf0` `buf0+12` `desc1` `avail1` `used1+2` `region0.end-1` | in a driver's guest memory: \
a slot of 4096 octets that nothing else uses, the parts of virtqueue 1, a region's begin and end |
| comparison | `0` `"<= 200ms"` `">= 0.95"` `"<= 1.5x"` `"<= 0.1%"` `"1..3"` | a bare value means "equals" |
| limit | a comparison, or `any` | `any` asks for nothing |
| message | `7` `SET_MEM_TABLE` | of a vhost-user session: its number from 1 (replies counted too), or its request's name |
| plain value | `x` `4` `0.5` `true` | text, number, true or false |
| name | `f0` | a letter, then letters, digits, `_` and `-`, 32 at most; names of actors and ports are unique |
| template | `"{ring}"` | a value of `matrix` or `let`, in keys too; alone it keeps its type; `{{` and `}}` are braces |
| range | `"p[0..127]": {...}` | a key for p0 to p127; in what belongs to it `{i}` is the number, `{i+64}` 64 more |
"""


def chapter() -> str:
    return "\n".join(_chapter())


def _chapter() -> Iterator[str]:
    yield "## Reference\n"
    yield "A scenario is one YAML file. Unknown keys are mistakes. The examples below are parts of this one:\n"
    yield _fenced(HOST)
    yield VALUES
    yield f"### The file\n\n{_doc(Scenario)}\n"
    yield from _tables(_schema(Scenario))
    for title, model in _PARTS.items():
        yield f"### {title}\n\n{_doc(model)}\n"
        yield from _tables(_schema(model))
    yield "### Steps\n\nOne after the other; each is a mapping with one key. One that fails ends the cell.\n"
    for step in STEPS.values():
        yield from _step(step)
    yield "### Expectations\n"
    yield "Judged after the steps, by the checkers that docs/checkers.md describes; each is a mapping with one key.\n"
    schema = _schema(Expectation)
    for kind, body in schema["properties"].items():
        yield from _expectation(kind, body, schema["$defs"])
    yield from _events()


def _step(step: type[Step]) -> Iterator[str]:
    yield f"#### {step.kind}\n"
    yield _doc(step) + (" A fault: `random` may choose it.\n" if step.breaks else "\n")
    before = [BEFORE[step.kind]] if step.kind in BEFORE else []
    yield _fenced("".join(f"- {line}\n" for line in (*before, STEP_EXAMPLES[step.kind])))
    schema = _schema(step)
    if step.shorthand:
        key = step.model_fields[step.shorthand].alias or step.shorthand
        yield f"`{step.kind}: X` is short for `{step.kind}: {{{key}: X}}`.\n"
    yield from _tables(schema)


def _expectation(kind: str, body: Schema, definitions: Schema) -> Iterator[str]:
    yield f"#### expect {kind}\n"
    models = [definitions[name] for name in models_in(body)]
    told = str(body.get("description") or models[0]["description"])
    yield _sentence(told) + "\n"
    yield _fenced(f"- {EXPECTATIONS[kind]}\n")
    for model in models:
        yield table(model)


def _tables(schema: Schema) -> Iterator[str]:
    """The model's own keys, then those of models below it that have no section."""
    if schema.get("properties", {}).keys() - {"type"}:
        yield table(schema)
    shown: set[str] = set()
    for key, body in schema.get("properties", {}).items():
        for name in models_in(body):
            if name not in _LINKS and name not in shown:
                shown.add(name)
                yield f"Below `{key}`:\n"
                yield table(schema["$defs"][name])


def table(schema: Schema) -> str:
    """The keys of a model, a line each. ValueError when one does not say what it means."""
    required = schema.get("required", [])
    rows = [
        (f"`{key}`", value(body, _LINKS), default(body, key in required), _meaning(schema, key))
        for key, body in schema["properties"].items()
        if key != "type"  # which the heading says
    ]
    if schema.get("additionalProperties") is True:
        rows.append(("any other", "text or number", "", "has to equal the event's field of that name"))
    lines = ["| key | value | default | meaning |", "|---|---|---|---|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


def _meaning(schema: Schema, key: str) -> str:
    meaning: str | None = schema["properties"][key].get("description")
    if not meaning:
        raise ValueError(f"{schema.get('title')}: `{key}` has no description")
    return meaning


def _events() -> Iterator[str]:
    yield "### Events\n"
    yield "What `event` may name; fields and meaning are in docs/protocol.md, those of a run in its history.jsonl.\n"
    yield _listed(sorted(EVENTS)) + "\n"


def _schema(model: type[Model]) -> Schema:
    """Fields that are filled by others and not written are left out."""
    schema: Schema = model.model_json_schema(ref_template="#/$defs/{model}")
    for name, field in model.model_fields.items():
        if field.exclude:
            del schema["properties"][field.alias or name]
    return schema


def _doc(model: type[Model]) -> str:
    return _sentence(" ".join((model.__doc__ or "").split()))


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + ("" if text.endswith(".") else ".")


def _fenced(text: str) -> str:
    return f"```yaml\n{text}```\n"


def _listed(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def rewritten(document: str) -> str:
    """The document with the chapter as it has to be."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"lacks the markers {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{chapter()}\n\n{END}{after}"


if __name__ == "__main__":
    DOCUMENT.write_text(rewritten(DOCUMENT.read_text()))
