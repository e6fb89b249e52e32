"""The examples that need no data of others run as they are, on a small budget."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from moco.costs.lowering import pim_config
from pimmodel import estimate
from spaces import HARDWARE_SPACE

EXAMPLES = Path(__file__).parent.parent / "examples"
NO_COMMAND = ("own_problem.py", "public_logs.py")  # it takes no arguments; what three others share


@pytest.mark.parametrize(
    ("name", "arguments", "printed"),
    [
        ("own_problem.py", (), "front"),
        ("own_csv.py", ("--rows", "2000", "--trials", "20", "--out", "run"), "supernet logloss"),
        ("hardware_sweep.py", ("avazu-small", "--limit", "4000"), "4,000 costed"),
        ("which_calibration.py", ("--rows", "1500", "--trials", "40"), "on the front under every calibration"),
    ],
)
def test_example(name: str, arguments: tuple[str, ...], printed: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *arguments],
        cwd=tmp_path,
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert printed in done.stdout


@pytest.mark.parametrize("name", sorted(file.name for file in EXAMPLES.glob("*.py") if file.name not in NO_COMMAND))
def test_help(name: str) -> None:
    command = [sys.executable, str(EXAMPLES / name), "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"python examples/{name}" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("hardware_sweep.py", "netflix-full"), "No such file or directory: 'netflix-full'"),
        (("hardware_sweep.py", "--limit", "0"), "limit must be at least 100"),
        (("hardware_sweep.py", "--calibration", "cmos"), "unknown calibration 'cmos'"),
        (("which_calibration.py", "absent"), "absent holds no run"),
    ],
)
def test_refusal_in_one_line(arguments: tuple[str, ...], message: str, tmp_path: Path) -> None:
    command = [sys.executable, str(EXAMPLES / arguments[0]), *arguments[1:]]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert message in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def sweeping() -> ModuleType:
    return loaded("hardware_sweep")


@pytest.fixture(scope="module")
def comparing() -> ModuleType:
    return loaded("which_calibration")


def loaded(name: str) -> ModuleType:
    """An example as a module, not run."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def test_a_sweep_costs_every_chip_and_splits_the_variance(sweeping: ModuleType) -> None:
    space = HARDWARE_SPACE.with_choices(
        {block.name: block.choices[:2] for block in HARDWARE_SPACE.blocks if block.name != "adc_bits"}
        | {"adc_bits": (4, 8, 10), "activation_bits": (8,), "table_bits": (8,), "columns_per_adc": (8,)}
    )
    workload = sweeping.the_network("kdd2012-full", 100)
    done = sweeping.sweep(workload, space, "isaac32", space.cardinality)
    genomes = np.column_stack([done.choice(block.name) for block in space.blocks])
    assert len(np.unique(genomes, axis=0)) == space.cardinality == len(done.costs)
    row = 777
    chosen = {block.name: np.array([block.choices[genomes[row, column]]]) for column, block in enumerate(space.blocks)}
    alone = estimate(workload, pim_config(chosen))
    figures = [alone.energy_pj[0], alone.latency_ns[0], alone.area_mm2[0]]
    assert done.costs[row].tolist() == pytest.approx(figures)
    # In a full factorial design main effects are orthogonal, so that they add up to no more than everything.
    shares = np.array([done.explained(block.name) for block in space.blocks])
    assert (shares >= 0).all()
    assert (shares.sum(axis=0) <= 1 + 1e-9).all()
    assert done.explained("adc_range") == pytest.approx(np.zeros(3))  # changes what is lost, not what it costs
    assert done.explained("cell_bits")[0] > 0.1
    exact = done.costs[done.is_exact]
    assert 0 < done.is_exact.sum() < len(done.costs)
    for point in done.costs[done.is_front]:
        assert not ((exact <= point).all(axis=1) & (exact < point).any(axis=1)).any()


def test_a_part_of_the_space_is_drawn_without_repeats(sweeping: ModuleType) -> None:
    done = sweeping.sweep(sweeping.the_network("avazu-small", 100), sweeping.DISTINCT, "isaac32", 500)
    assert len(np.unique(done.numbers)) == len(done.costs) == 500


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([1, 2, 3, 4], [10, 20, 30, 5000], 1.0),
        ([1, 2, 3, 4], [4, 3, 2, 1], -1.0),
        # d = 0, 1, -1, 0: 1 - 6 x 2 / (4 x 15)
        ([1, 2, 3, 4], [1, 3, 2, 4], 0.8),
        # ranks 1.5, 1.5, 3 beside 1, 2, 3: covariance 1.5 over sqrt(1.5 x 2)
        ([1, 1, 2], [1, 2, 3], 1.5 / 3**0.5),
        ([1, 1, 1], [1, 2, 3], float("nan")),
    ],
)
def test_rank_correlation(comparing: ModuleType, first: list[float], second: list[float], expected: float) -> None:
    assert comparing.spearman(np.array(first), np.array(second)) == pytest.approx(expected, nan_ok=True)


def test_calibrations_compared_by_hand(comparing: ModuleType) -> None:
    # Equal latency; under "b" the third design is cheapest and beats the second in both.
    logloss, one = np.array([0.5, 0.4, 0.4]), np.ones(3)
    costs = {"a": np.column_stack([[1.0, 2, 3], one, one]), "b": np.column_stack([[3.0, 2, 1], one, one])}
    is_front = {"a": np.array([True, True, False]), "b": np.array([False, False, True])}
    done = comparing.Recosted(logloss, costs, is_front, "a")
    assert comparing.jaccard(is_front["a"], is_front["b"]) == 0
    text = comparing.tables(done)
    assert "-1.00" in text
    assert "0 of 2, 0%" in text
    assert "under every calibration: 0 designs" in text
    assert comparing.picture(done).axes
