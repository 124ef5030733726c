"""The laws of the house, read from the import statements of every file."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "XRADiffSlicer" / "xradiff"
STAGES = {
    "views": 1,
    "masks": 2,
    "geometry": 3,
    "projection": 4,
    "calibration": 5,
    "reconstruction": 6,
    "postprocess": 7,
    "surface": 8,
    "centreline": 8,
    "quantification": 9,
    "export": 10,
}
ALLOWED = {name: {other for other, number in STAGES.items() if number <= own} for name, own in STAGES.items()}
ALLOWED["synthetic"] = {name for name, number in STAGES.items() if number <= 5} | {"synthetic"}
ALLOWED["training"] = {name for name, number in STAGES.items() if number <= 6} | {"synthetic", "training"}
TOPS = {"pipeline", "cli", "replay", "dataset", "benchmark", "__main__"}
ONLY_IN = {
    "vtk": {"surface", "export"},
    "vtkmodules": {"surface", "export"},
    "odl": {"projection"},
    "astra": {"projection"},
    "itk": {"projection"},
}
FILES = sorted(PACKAGE.rglob("*.py"))


def imports(path):
    """Yield (top-level package, path below xradiff or ()) of every import in a file, nested ones too."""
    here = path.relative_to(PACKAGE).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                parts = alias.name.split(".")
                yield parts[0], tuple(parts[1:]) if parts[0] == "xradiff" else ()
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            parts = (node.module or "").split(".")
            yield parts[0], tuple(parts[1:]) if parts[0] == "xradiff" else ()
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1]
            module = (*base, *(node.module.split(".") if node.module else ()))
            for alias in node.names:
                yield "xradiff", module or (alias.name,)


def own_room(path):
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_imports_only_what_its_room_may(path):
    room = own_room(path)
    for top, below in imports(path):
        assert top not in ("slicer", "qt", "ctk"), f"{top} belongs to the Slicer layer"
        assert room in ONLY_IN.get(top, {room}), f"{top} may be imported only in {ONLY_IN[top]}"
        target = below[0] if top == "xradiff" and below else None
        if target in STAGES or target in ("synthetic", "training"):
            assert room in TOPS or target in ALLOWED.get(room, set()), f"{room} may not import {target}"
        if target in TOPS:
            assert room in TOPS, f"nobody but the command line imports {target}"


@pytest.mark.parametrize("path", [f for f in FILES if "methods" in f.parts], ids=lambda path: path.parent.name)
def test_methods_do_not_import_each_other(path):
    own = path.relative_to(PACKAGE).parts
    for top, below in imports(path):
        if top == "xradiff" and below[:2] == ("reconstruction", "methods") and len(below) > 2:
            assert below[2] == own[2]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_and_functions_stay_readable(path):
    source = path.read_text()
    assert source.count("\n") <= 300
    tree = ast.parse(source)
    assert ast.get_docstring(tree), "a file says where in the flow it stands"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            assert not body or body[-1].end_lineno - body[0].lineno < 50, node.name


def test_no_stage_is_without_a_rank():
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and (path / "__init__.py").exists()}
    assert folders <= set(STAGES) | {"synthetic", "training", "benchmark"}


def test_no_loose_module_beside_the_slicer_module():
    loose = {path.name for path in PACKAGE.parent.glob("*.py")}
    assert loose <= {"XRADiffSlicer.py"}


def test_no_package_name_that_collides_on_slicers_path():
    names = {path.name for path in PACKAGE.rglob("*") if path.is_dir()} | {path.stem for path in PACKAGE.rglob("*.py")}
    assert not names & {"utils", "models", "data", "Testing"}


def test_nothing_is_unpickled():
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("torch.load", "pickle.load", "pickle.loads"):
                assert any(k.arg == "weights_only" and ast.unparse(k.value) == "True" for k in node.keywords), path


@pytest.mark.parametrize(
    "path", sorted((PACKAGE.parents[1] / "Testing" / "Benchmarks").glob("*.py")), ids=lambda p: p.stem
)
def test_make_bench_can_call_every_script_without_arguments(path):
    for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(call, ast.Call) and getattr(call.func, "attr", "") == "add_argument":
            words = {word.arg: getattr(word.value, "value", None) for word in call.keywords}
            assert call.args[0].value.startswith("-") or words.get("nargs") in ("?", "*"), ast.unparse(call)
            assert not words.get("required"), ast.unparse(call)


COMPARISON = "results/method_comparison.md"


@pytest.mark.parametrize("path", [*sorted(PACKAGE.rglob("README.md")), PACKAGE.parents[1] / "README.md"], ids=str)
def test_what_is_quoted_of_the_comparison_stands_in_its_table(path):
    """Every "mean (interval)" of the first table after the link; new weights and grids change those of others too."""
    _, link, after = path.read_text(encoding="utf-8").partition(COMPARISON)
    table = (PACKAGE.parents[1] / "Testing" / "Benchmarks" / COMPARISON).read_text(encoding="utf-8")
    quoted = re.findall(r"\d+\.\d+ \(\d+\.\d+-\d+\.\d+\)", after[after.find("|---") :].partition("\n\n")[0])
    assert bool(quoted) == bool(link)
    assert [cell for cell in quoted if f"| {cell} |" not in table] == []
