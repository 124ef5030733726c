"""XRADiffSlicer/CMakeLists.txt names every shipped file by hand; a forgotten one breaks installations only."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
MODULE = REPOSITORY / "XRADiffSlicer"
IGNORED_FOLDERS = {"__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache"}


def listed(name: str) -> list[str]:
    """Entries of a list in the CMake file, the module name filled in."""
    text = (MODULE / "CMakeLists.txt").read_text(encoding="utf-8")
    body = re.search(rf"set\({name}\n(.*?)\n\s*\)", text, re.DOTALL)
    assert body, f"set({name} ...) is missing in {MODULE / 'CMakeLists.txt'}"
    return body[1].replace("${MODULE_NAME}", "XRADiffSlicer").split()


def shipped() -> set[str]:
    """Files on the disk that belong to the module; what git ignores does not."""
    files = {
        path.relative_to(MODULE).as_posix()
        for path in MODULE.rglob("*")
        if path.is_file() and not IGNORED_FOLDERS & set(path.parts) and path != MODULE / "CMakeLists.txt"
    }
    command = ["git", "-C", str(MODULE), "check-ignore", "--stdin"]
    try:
        ignored = subprocess.run(command, input="\n".join(files), capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:  # a copy without git
        ignored = ""
    return files - set(ignored.split("\n"))


def difference(listing: list[str], disk: set[str]) -> str:
    """The lines to add to and to remove from the list, "" if there are none."""
    add, remove = sorted(disk - set(listing)), sorted(set(listing) - disk)
    parts = ["\n  ".join(["add these lines:", *add])] if add else []
    parts += ["\n  ".join(["remove these lines:", *remove])] if remove else []
    return "\n".join(parts)


def test_scripts_are_those_on_the_disk() -> None:
    wrong = difference(listed("MODULE_PYTHON_SCRIPTS"), {name for name in shipped() if name.endswith(".py")})
    assert not wrong, f"\nin MODULE_PYTHON_SCRIPTS {wrong}"


def test_resources_are_those_on_the_disk() -> None:
    wrong = difference(listed("MODULE_PYTHON_RESOURCES"), {name for name in shipped() if not name.endswith(".py")})
    assert not wrong, f"\nin MODULE_PYTHON_RESOURCES {wrong}"


def test_lists_are_sorted_and_without_repetition() -> None:
    for name in ("MODULE_PYTHON_SCRIPTS", "MODULE_PYTHON_RESOURCES"):
        entries = listed(name)
        assert len(entries) == len(set(entries)), name
        assert entries == sorted(entries), name
