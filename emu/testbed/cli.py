"""The `testbed` command. Every command imports what it needs when it is called: `--help` and mistakes come at once."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn, cast

import typer

if TYPE_CHECKING:
    from testbed.scenario.topology import Datapath

app = typer.Typer(
    name="testbed",
    help="A vhost-user switch, and a testbed that breaks it on purpose and proves what survived.",
    epilog="Exit status: 0 passed, 1 failed, 2 a mistake in the scenario or command line, 3 this machine lacks something,"
    " 4 unknown.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_MISTAKE = 2
# Pydantic looks through every installed package for plugins, which takes longer than all else here. We have none.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

Files = Annotated[list[Path], typer.Argument(metavar="FILE...", help="scenario files", show_default=False)]
File = Annotated[Path, typer.Argument(metavar="FILE", help="a scenario file", show_default=False)]
Cells = Annotated[
    list[str] | None,
    typer.Option("--cell", metavar="KEY=VALUE", help="only cells with this value; may be repeated"),
]


def _cells(texts: list[str] | None) -> dict[str, str]:
    cells: dict[str, str] = {}
    for text in texts or []:
        key, equals, value = text.partition("=")
        if not equals or not key:
            _fail(f"testbed: --cell {text}: write KEY=VALUE, for example --cell role=client")
        cells[key] = value
    return cells


def _datapath(text: str | None) -> Datapath | None:
    if text not in (None, "library", "ring"):
        _fail(f"testbed: --datapath {text}: there are library and ring")
    return cast("Datapath | None", text)


def _fail(line: str, status: int = _MISTAKE) -> NoReturn:
    print(line, file=sys.stderr)
    raise typer.Exit(status)


@app.command()
def run(
    files: Files,
    out: Annotated[Path | None, typer.Option(help="the run's directory (default: runs/NAME-TIME)")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="instead of the scenario's own")] = None,
    cell: Cells = None,
    backend: Annotated[str, typer.Option(help="what stands behind the sockets")] = "testbed-switch",
    datapath: Annotated[
        str | None, typer.Option(help="library or ring: who walks the rings where the scenario does not say")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="print report.json; progress goes to standard error")
    ] = False,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="run the other files after one that did not pass")
    ] = False,
) -> None:
    """Run scenarios and judge them."""
    from testbed.scenario.load import load_jobs
    from testbed.scenario.mistakes import ScenarioError

    chosen = _cells(cell)
    try:
        jobs = load_jobs(files, chosen, _datapath(datapath))
    except ScenarioError as mistakes:
        _fail(str(mistakes))
    from testbed.run.command import RunOptions
    from testbed.run.command import run as run_scenarios

    options = RunOptions(out, seed, chosen, backend, as_json, keep_going, datapath)
    raise typer.Exit(run_scenarios(jobs, options))


@app.command("list")
def list_(
    directory: Annotated[Path, typer.Argument(metavar="[DIR]", help="where scenarios are")] = Path(
        "scenarios"
    ),
) -> None:
    """Every scenario: what it claims, what it needs."""
    from testbed.scenario.listing import list_scenarios

    raise typer.Exit(list_scenarios(directory))


@app.command()
def doctor(as_json: Annotated[bool, typer.Option("--json", help="as a document")] = False) -> None:
    """What this machine can run, and the command that supplies what it lacks."""
    from testbed.doctor import doctor as examine

    raise typer.Exit(examine(as_json))


@app.command()
def up(
    file: File,
    only: Annotated[
        str | None, typer.Option(metavar="switch", help="only the switch: bring frontends of your own")
    ] = None,
    directory: Annotated[
        Path | None, typer.Option("--dir", metavar="DIR", help="where sockets and logs go")
    ] = None,
    cell: Cells = None,
) -> None:
    """Hold a topology until Ctrl-C, and print how to attach to each socket."""
    from testbed.run.up import hold

    if only not in (None, "switch"):
        _fail(f"testbed up: --only {only}: there is only `switch`")
    raise typer.Exit(hold(file, only_switch=only is not None, directory=directory, cells=_cells(cell)))


@app.command()
def test(
    layer: Annotated[
        str, typer.Argument(metavar="[LAYER]", help="unit, property, e2e, all of these, or sanitizers")
    ] = "all",
) -> None:
    """Run this project's own tests."""
    from testbed.run.selftest import LAYERS, run_tests

    if layer not in LAYERS:
        _fail(f"testbed test: no layer '{layer}'; there are {', '.join(LAYERS)}")
    raise typer.Exit(run_tests(layer))


@app.command()
def bench(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="which; all when absent")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="print the document; progress goes to standard error")
    ] = False,
    quick: Annotated[bool, typer.Option(help="fewer and shorter blocks: a first look")] = False,
    pairs: Annotated[int | None, typer.Option(min=1, help="pairs of blocks for each case")] = None,
    noisy: Annotated[bool, typer.Option(help="keep blocks of a disturbed machine, and say so")] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="where bench.json and bench.html go")
    ] = None,
) -> None:
    """Measure switches side by side, in one run."""
    from testbed.bench.command import BenchOptions
    from testbed.bench.command import bench as measure

    raise typer.Exit(measure(BenchOptions(tuple(names or ()), as_json, quick, pairs, noisy, out)))


@app.command()
def fuzz(
    seconds: Annotated[float, typer.Option(min=1, help="how long to look")] = 60,
    seed: Annotated[int | None, typer.Option(min=0, help="of everything random; drawn when absent")] = None,
    out: Annotated[Path | None, typer.Option(help="where findings go (default: runs/fuzz-TIME)")] = None,
    backend: Annotated[str, typer.Option(help="what is attacked")] = "testbed-switch",
    datapath: Annotated[
        str | None, typer.Option(help="library or ring: who walks our switch's rings")
    ] = None,
    most: Annotated[int, typer.Option(min=1, help="ends after so many findings")] = 10,
    as_json: Annotated[
        bool, typer.Option("--json", help="print a summary as a document; progress goes to standard error")
    ] = False,
) -> None:
    """Attack the switch with wrong messages and rings; shrink what breaks it to a scenario file."""
    from testbed.fuzz.command import FuzzOptions
    from testbed.fuzz.command import fuzz as attack

    raise typer.Exit(attack(FuzzOptions(seconds, seed, out, backend, most, as_json, _datapath(datapath))))


@app.command()
def graph(
    file: File,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="a picture (.svg, .png, .pdf) made by Graphviz")
    ] = None,
    cell: Cells = None,
) -> None:
    """The topology as a picture; Graphviz's language on standard output."""
    from testbed.run.graph import draw

    raise typer.Exit(draw(file, output, _cells(cell)))


@app.command()
def report(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="a run's directory", show_default=False)],
) -> None:
    """Draw the HTML report of a run again, and print its path."""
    from testbed.report import ReportError, render_html

    try:
        print(render_html(directory))
    except ReportError as error:
        _fail(f"testbed report: {error}")


@app.command()
def resilience(
    directories: Annotated[
        list[Path], typer.Argument(metavar="DIR...", help="runs, or what holds them", show_default=False)
    ],
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="instead of standard output")] = None,
) -> None:
    """A table of scenarios by backends, from the reports of runs."""
    from testbed.report import ReportError
    from testbed.report.resilience import read_reports, render, table_of

    try:
        text = render(table_of(read_reports(directories)))
    except ReportError as error:
        _fail(f"testbed resilience: {error}")
    if out is None:
        print(text, end="")
    else:
        out.write_text(text)


@app.command()
def schema() -> None:
    """The JSON Schema of scenario files, for editors."""
    from testbed.scenario.schema import json_schema

    print(json_schema(), end="")


@app.command()
def completion(
    shell: Annotated[str, typer.Argument(help="bash, zsh or fish")] = "bash",
) -> None:
    """A script that completes this command: `source <(./testbed completion bash)`."""
    from typer._completion_shared import get_completion_script

    if shell not in ("bash", "zsh", "fish"):
        _fail(f"testbed completion: no shell '{shell}'; there are bash, zsh, fish")
    print(get_completion_script(prog_name="testbed", complete_var="_TESTBED_COMPLETE", shell=shell))


def main() -> None:
    try:
        app(prog_name="testbed")
    except BrokenPipeError:
        # Whoever read our output has gone. What is written at exit would raise again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
