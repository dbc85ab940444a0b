"""The launcher: what it makes, what it notices, and what it says when it cannot."""

from __future__ import annotations

import os
import shutil
import signal
import time

from .conftest import Tree


def made(calls: list[str]) -> list[str]:
    """What was made, of these calls: an environment, its packages, a build tree, a build."""
    kinds = {
        "python -m venv": "venv",
        "python -m pip": "pip",
        "cmake --preset": "cmake",
        "cmake --fresh": "cmake anew",
        "apt-get install": "apt",
    }
    found = [kind for call in calls for start, kind in kinds.items() if call.startswith(start)]
    return found + ["ninja" for call in calls if call.startswith("ninja") and " -n " not in call]


def test_the_first_start_makes_everything_and_the_second_nothing(tree: Tree) -> None:
    first = tree.start("run", "x.yaml")
    assert first.returncode == 0, first.stderr
    assert made(tree.calls()) == ["venv", "pip", "cmake", "ninja"]
    second = tree.start("run", "x.yaml")
    calls = tree.calls()
    assert made(calls) == [] and second.stderr == ""
    assert calls[-1] == "python -m testbed run x.yaml"


def test_a_run_builds_the_programs_and_a_test_everything(tree: Tree) -> None:
    tree.start("run")
    assert any(call.startswith("ninja") and call.endswith("release programs") for call in tree.calls())
    (tree.path / "build/release/built").unlink()
    tree.start("test")
    assert any(call.startswith("ninja") and call.endswith("release all") for call in tree.calls())


def test_sanitizers_build_for_themselves(tree: Tree) -> None:
    tree.start("test", "sanitizers")
    assert made(tree.calls()) == ["venv", "pip"]


def test_looking_does_not_build(tree: Tree) -> None:
    tree.start("list")
    assert made(tree.calls()) == ["venv", "pip"]


def test_an_environment_that_was_killed_half_made_is_made_anew(tree: Tree) -> None:
    assert tree.start("list", DIE_IN_VENV="1").returncode != 0
    assert (tree.path / ".venv/bin/python").exists()
    tree.calls()
    assert tree.start("list").returncode == 0
    assert made(tree.calls()) == ["venv", "pip"]


def test_an_interrupt_while_packages_are_installed_ends_the_start_and_the_next_makes_it_anew(
    tree: Tree,
) -> None:
    waiting = tree.path / "in-pip"
    launcher = tree.begin("list", WAIT_IN_PIP=str(waiting))
    deadline = time.monotonic() + 30
    while not waiting.exists():
        assert launcher.poll() is None and time.monotonic() < deadline
        os.sched_yield()
    os.killpg(launcher.pid, signal.SIGINT)
    _, said = launcher.communicate(timeout=30)
    assert launcher.returncode == 130
    assert "mend it with" not in said
    tree.calls()
    assert tree.start("list").returncode == 0
    assert made(tree.calls()) == ["venv", "pip"]


def test_an_environment_that_lost_its_stamp_after_set_up_is_noticed(tree: Tree) -> None:
    tree.start("list")
    (tree.path / ".venv/requirements.stamp").unlink()
    tree.calls()
    tree.start("list")
    assert made(tree.calls()) == ["venv", "pip"]


def test_changed_requirements_update_the_environment_and_say_so(tree: Tree) -> None:
    tree.start("list")
    with open(tree.path / "ci/requirements.txt", "a") as requirements:
        requirements.write("another==1\n")
    tree.calls()
    assert "updating the Python environment" in tree.start("list").stderr
    assert made(tree.calls()) == ["pip"]
    assert tree.start("list").stderr == ""


def test_an_environment_whose_python_became_another_is_made_anew(tree: Tree) -> None:
    tree.start("list")
    newer = tree.programs / "python3.99"
    shutil.copy(tree.programs / "python", newer)
    (tree.path / ".venv/bin/python").unlink()
    (tree.path / ".venv/bin/python").symlink_to(newer)
    tree.calls()
    tree.start("list")
    assert made(tree.calls())[:1] == ["venv"]


def test_a_tree_that_was_copied_is_configured_anew(tree: Tree) -> None:
    tree.start("run")
    tree.calls()
    copied = Tree(tree.path.with_name("copied"), tree.programs, tree.calls_file)
    shutil.copytree(tree.path, copied.path)
    assert copied.start("run").returncode == 0
    assert "cmake anew" in made(tree.calls())


def test_a_build_tree_that_was_interrupted_while_it_was_configured_is_configured_again(tree: Tree) -> None:
    tree.start("run")
    (tree.path / "build/release/build.ninja").unlink()
    tree.calls()
    tree.start("run")
    assert made(tree.calls()) == ["cmake anew"]


def test_packages_that_cannot_be_installed_are_status_three_and_one_command(tree: Tree) -> None:
    said = tree.start("list", NONE_INSTALLED="1")
    assert said.returncode == 3
    assert "these Debian packages are missing" in said.stderr and "libdpdk-dev" in said.stderr
    assert said.stderr.splitlines()[-1].startswith("testbed: mend it with: ")


def test_a_cache_that_cannot_be_written_is_told_in_one_line(tree: Tree) -> None:
    (tree.path / ".cache").write_text("a file where a directory should be")
    said = tree.start("list")
    assert said.returncode == 3
    assert said.stderr.startswith("testbed: cannot write to ")


def test_nothing_is_looked_at_when_the_set_up_is_left_out(tree: Tree) -> None:
    tree.start("list")
    tree.calls()
    tree.start("run", TESTBED_NO_SETUP="1")
    assert tree.calls() == ["python -m testbed run"]
