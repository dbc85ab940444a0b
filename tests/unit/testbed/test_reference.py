"""docs/scenarios.md says what the language is: made from the models, with examples that load."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from testbed.run.steps.registry import STEPS
from testbed.scenario import reference, schema
from testbed.scenario import reference_examples as examples
from testbed.scenario.expect import Expectation
from testbed.scenario.fields import Model
from testbed.scenario.load import load_scenario, parse_scenario
from testbed.scenario.reference import DOCUMENT, rewritten

ROOT = Path(__file__).parents[3]
LATER_VERSION = "comes with a later version"


def test_the_reference_is_that_of_the_models() -> None:
    document = DOCUMENT.read_text()
    assert document == rewritten(document), "make it anew: python -m testbed.scenario.reference"


def test_a_changed_reference_is_noticed() -> None:
    document = DOCUMENT.read_text()
    assert rewritten(document.replace("| `ageing` |", "| `aging` |")) == rewritten(document)
    assert document.replace("| `ageing` |", "| `aging` |") != rewritten(document)


def test_a_document_without_the_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="lacks the markers"):
        rewritten("# Scenarios\n")


def test_the_example_that_all_others_are_part_of_loads() -> None:
    assert parse_scenario(examples.HOST).name == "example"


@pytest.mark.parametrize("kind", STEPS)
def test_every_step_has_an_example_that_loads(kind: str) -> None:
    before = [examples.BEFORE[kind]] if kind in examples.BEFORE else []
    steps = "".join(f"  - {step}\n" for step in (*before, examples.STEPS[kind]))
    (cell,) = parse_scenario(f"{examples.HOST}steps:\n{steps}").cells
    assert cell.scenario.steps[-1].kind == kind


@pytest.mark.parametrize("kind", sorted(Expectation.model_fields))
def test_every_expectation_has_an_example_that_loads(kind: str) -> None:
    steps = f"steps:\n  - {examples.STEPS['log']}\n"  # what dirty_log is about
    (cell,) = parse_scenario(f"{examples.HOST}{steps}expect:\n  - {examples.EXPECTATIONS[kind]}\n").cells
    assert [entry.kind for entry in cell.scenario.expect] == [kind]


class Silent(Model):
    """A model with a key that says nothing."""

    key: str


def test_a_key_that_does_not_say_what_it_means_is_refused() -> None:
    with pytest.raises(ValueError, match="Silent: `key` has no description"):
        reference.table(Silent.model_json_schema())


TUTORIAL, _, _ = DOCUMENT.read_text().partition("<!-- reference: begin")
WRITTEN_OUT = [
    block for block in re.findall(r"```yaml\n(.*?)```", TUTORIAL, re.S) if block.startswith("name:")
]


@pytest.mark.parametrize("text", WRITTEN_OUT, ids=lambda text: str(text.split()[1]))
def test_every_scenario_of_the_tutorial_loads(text: str) -> None:
    assert parse_scenario(text).cells


def test_the_tutorial_writes_scenarios_out() -> None:
    assert len(WRITTEN_OUT) >= 2


def test_an_editors_default_is_what_a_scenario_would_write() -> None:
    definitions = schema.build()["$defs"]
    assert definitions["SwitchBrick"]["properties"]["ageing"]["default"] == "5min"
    assert definitions["Qemu"]["properties"]["memory"]["default"] == "256M"
    assert definitions["Flow"]["properties"]["size"]["default"] == 64


def test_the_readme_lists_the_scenarios_that_ship_with_their_claims() -> None:
    readme = (ROOT / "README.md").read_text()
    shipped = [load_scenario(path) for path in sorted((ROOT / "scenarios").glob("*.yaml"))]
    assert shipped
    assert [file.name for file in shipped if f"| `{file.name}` | {file.about} |" not in readme] == []
