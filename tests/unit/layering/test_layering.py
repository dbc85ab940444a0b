"""What may include what (docs/architecture.md), and the rules of style that a machine can hold."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)

# Folder -> what it may include with quotes. The longest matching folder counts.
ALLOWED = {
    "core/base": ["core/base"],
    "core/graph": ["core/base", "core/graph"],
    "core/bricks": ["core/base", "core/graph", "core/bricks"],
    "core/worker": ["core/base", "core/graph", "core/worker"],
    "core/control": ["core/base", "core/graph", "core/bricks", "core/worker", "core/control"],
    "core/app": ["core", "vdev/ports.hpp"],
    "vdev/wire": ["vdev/wire"],
    "vdev": ["core/base", "core/graph", "vdev"],
    "emu": ["core/base", "vdev/wire", "emu"],
    "emu/load/inprocess": ["core", "vdev", "emu"],
}
FORBIDDEN_WORDS = re.compile(r"\b(master|slave|whitelist|blacklist)\b", re.IGNORECASE)


def sources(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return [ROOT / line for line in listed.splitlines() if (ROOT / line).is_file()]


def rule_for(path: str) -> list[str]:
    fitting = [folder for folder in ALLOWED if path.startswith((folder + "/", folder + ".", folder + "_"))]
    return ALLOWED[max(fitting, key=len)]


def violations(path: str, text: str) -> list[str]:
    """The includes of `text`, a file at `path`, that its folder may not have."""
    allowed = rule_for(path)
    return [
        included
        for included in INCLUDE.findall(text)
        if not any(included == prefix or included.startswith(prefix + "/") for prefix in allowed)
    ]


CPP = [
    path
    for path in sources("core/*.?pp", "vdev/*.?pp", "emu/*.?pp")
    if any(str(path.relative_to(ROOT)).startswith(top) for top in ("core/", "vdev/", "emu/"))
]


@pytest.mark.parametrize("path", CPP, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_folder_includes_only_what_its_place_allows(path: Path) -> None:
    relative = str(path.relative_to(ROOT))
    assert violations(relative, path.read_text()) == []


def test_a_wrong_include_is_noticed() -> None:
    assert violations("core/graph/plan.cpp", '#include "vdev/gate/gate.hpp"\n') == ["vdev/gate/gate.hpp"]
    assert violations("emu/load/port.cpp", '#include "core/graph/port.hpp"\n') == ["core/graph/port.hpp"]
    assert violations("emu/load/inprocess.cpp", '#include "core/app/switch_app.hpp"\n') == []


def test_python_reaches_the_programs_through_sockets_and_files_only() -> None:
    native = re.compile(r"^\s*(import|from)\s+(ctypes|cffi)\b", re.MULTILINE)
    allowed = {"process.py"}  # prctl(PR_SET_PDEATHSIG) has no other way from Python
    found = [p for p in sources("emu/testbed/*.py") if native.search(p.read_text()) and p.name not in allowed]
    assert found == []


@pytest.mark.parametrize("suffix", ["hpp", "cpp", "py"])
def test_no_file_has_grown_past_three_hundred_lines(suffix: str) -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in sources(f"*.{suffix}")
        if (lines := len(path.read_text().splitlines())) > 300
    }
    assert long == {}


def test_one_word_for_one_thing() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in sources("core/*", "vdev/*", "emu/*", "scenarios/*", "docs/*")
        if path.suffix in {".hpp", ".cpp", ".py", ".yaml", ".md"}
        for match in FORBIDDEN_WORDS.finditer(path.read_text())
    ]
    assert wrong == []


def test_every_top_level_folder_says_in_forty_lines_what_lives_there() -> None:
    for folder in ("core", "vdev", "emu", "scenarios", "tests", "ci", "docs"):
        readme = ROOT / folder / "README.md"
        assert readme.is_file(), f"{folder}/README.md is missing"
        assert len(readme.read_text().splitlines()) <= 40
