"""Imports run down only, and opening a file never runs code."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# What each package may import of the others.
BELOW = {
    "spaces": frozenset[str](),
    "pimmodel": frozenset[str](),
    "studies": frozenset({"spaces"}),
    "moco": frozenset({"spaces", "pimmodel", "studies"}),
}
ABOVE_ALL = frozenset({"examples", "tests"})

# The floors of moco, from the lowest: each imports what is below it, or of itself.
FLOORS = (
    *("files", "progress", "design", "settings", "data", "recipes", "costs", "supernet", "training", "baselines"),
    *("oracle", "search", "chosen", "report", "pruning", "runs", "compare", "export", "cli"),
)

# Packages that stand on NumPy and the standard library alone, and packages that only one of ours may import.
NUMPY_ONLY = frozenset({"spaces", "pimmodel"})
HOME = {"torch": "moco", "pymoo": "studies", "optuna": "studies"}

# A file from a stranger is data: nothing that runs code while it reads.
UNSAFE_MODULES = frozenset({"pickle", "cPickle", "cloudpickle", "dill", "marshal", "shelve"})
UNSAFE_CALLS = frozenset({"eval", "exec", "__import__"})
UNSAFE_ARGUMENTS = {"weights_only": False, "allow_pickle": True}


def imported_modules(tree: ast.AST) -> Iterator[str]:
    """Dotted names of the modules that a source imports; relative imports stay inside their package."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            yield from (argument.value for argument in node.args if isinstance(argument, ast.Constant))


def faults(source: str, package: str) -> list[str]:
    """What a source file of a package does against the rules, one line each."""
    tree = ast.parse(source)
    found = []
    for module in sorted({name.partition(".")[0] for name in imported_modules(tree)} - {package}):
        is_ours = module in BELOW or module in ABOVE_ALL
        if is_ours and module not in BELOW[package]:
            found.append(f"{package} imports {module}, which is not below it")
        if package in NUMPY_ONLY and not is_ours and module != "numpy" and module not in sys.stdlib_module_names:
            found.append(f"{package} imports {module}; it may use NumPy and the standard library alone")
        if HOME.get(module, package) != package:
            found.append(f"{package} imports {module}, which only {HOME[module]} may")
        if module in UNSAFE_MODULES:
            found.append(f"{package} imports {module}, which runs code from data")
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name) and node.func.id in UNSAFE_CALLS:
            found.append(f"{package} calls {node.func.id}, which runs code from data")
        for keyword in node.keywords:
            is_constant = isinstance(keyword.value, ast.Constant)
            if is_constant and keyword.arg in UNSAFE_ARGUMENTS and keyword.value.value == UNSAFE_ARGUMENTS[keyword.arg]:
                found.append(f"{package} passes {keyword.arg}={keyword.value.value}, which runs code from data")
    return found


@pytest.mark.parametrize("package", BELOW)
def test_sources_keep_the_rules(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files, f"package {package} has no source files"
    found = [f"{path.relative_to(ROOT)}: {fault}" for path in files for fault in faults(path.read_text(), package)]
    assert not found, "\n".join(found)


def climbs(source: str, floor: str) -> list[str]:
    """Modules of higher floors of moco that a source of one floor imports."""
    modules = sorted(name for name in set(imported_modules(ast.parse(source))) if name.startswith("moco."))
    return [name for name in modules if FLOORS.index(name.split(".")[1]) > FLOORS.index(floor)]


@pytest.mark.parametrize("floor", FLOORS)
def test_the_floors_of_moco_stand_on_those_below(floor: str) -> None:
    place = ROOT / "moco" / floor
    files = sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
    found = [f"{path.relative_to(ROOT)} imports {name}" for path in files for name in climbs(path.read_text(), floor)]
    assert not found, "\n".join(found)


def test_every_room_of_moco_has_a_floor() -> None:
    rooms = {path.stem for path in (ROOT / "moco").iterdir() if path.suffix in ("", ".py")} - {"__init__", "__main__"}
    assert rooms - {"__pycache__"} == set(FLOORS)
    assert climbs("from moco.runs.run import Run", "search") == ["moco.runs.run"]
    assert climbs("if True:\n    import moco.data.load", "search") == []


@pytest.mark.parametrize(
    ("source", "package", "fault"),
    [
        ("import moco.oracle.oracle", "studies", "studies imports moco"),
        ("from pimmodel.config import PimConfig", "spaces", "spaces imports pimmodel"),
        ("def f() -> None:\n    from spaces import Space", "pimmodel", "pimmodel imports spaces"),
        ("import examples.frappe", "moco", "moco imports examples"),
        ("import torch", "studies", "only moco may"),
        ("from torch import nn", "pimmodel", "NumPy and the standard library alone"),
        ("import polars as pl", "spaces", "NumPy and the standard library alone"),
        ("from optuna.samplers import TPESampler", "moco", "only studies may"),
        ("if True:\n    import pymoo.core.problem", "moco", "only studies may"),
        ("import importlib\nimportlib.import_module('torch.nn')", "studies", "only moco may"),
        ("import pickle", "studies", "imports pickle"),
        ("from pickle import loads", "moco", "imports pickle"),
        ("eval('1')", "moco", "calls eval"),
        ("exec('pass')", "spaces", "calls exec"),
        ("__import__('torch')", "spaces", "calls __import__"),
        ("import torch\ntorch.load('a.pt', weights_only=False)", "moco", "passes weights_only=False"),
        ("import numpy as np\nnp.load('a.npz', allow_pickle=True)", "moco", "passes allow_pickle=True"),
    ],
)
def test_a_planted_fault_is_found(source: str, package: str, fault: str) -> None:
    assert any(fault in line for line in faults(source, package))


@pytest.mark.parametrize(
    ("source", "package"),
    [
        ("import numpy as np\nfrom spaces.space import Space\nfrom . import canonical", "spaces"),
        ("import optuna\nimport pymoo\nfrom spaces import Space", "studies"),
        ("import torch\nimport polars\nfrom studies import Study\nmodel.eval()", "moco"),
        ("import torch\ntorch.load('a.pt', weights_only=True)", "moco"),
    ],
)
def test_allowed_imports_pass(source: str, package: str) -> None:
    assert faults(source, package) == []


def test_public_names_are_there_and_hide_no_module() -> None:
    """A function named like a module would be that module once something imports it."""
    import moco

    for name in moco.__all__:
        assert getattr(moco, name) is not None
        assert not [place for place in (ROOT / "moco").glob(f"{name}*") if place.stem == name], name
