from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pimmodel import CALIBRATIONS, PimConfig, Workload, calibration_text, estimate, find_calibration, scaled
from pimmodel.calibrations.isaac32 import ISAAC32


def test_a_calibration_is_found_by_name_at_a_node_in_a_file_or_is_given(tmp_path: Path) -> None:
    mine = replace(ISAAC32, name="mine", row_write_ns=7.0)
    path = tmp_path / "mine.toml"
    path.write_text(calibration_text(mine))
    assert find_calibration("isaac32") is ISAAC32
    assert find_calibration(mine) is mine
    assert find_calibration(path) == find_calibration(str(path)) == mine
    assert find_calibration("isaac32@22nm") == scaled(ISAAC32, 22)
    assert find_calibration("isaac32@32nm") is ISAAC32


@pytest.mark.parametrize("name", CALIBRATIONS)
def test_names_are_keys(name: str) -> None:
    assert find_calibration(name).name == name


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("isaac", "unknown calibration 'isaac'; calibrations are 'isaac32', 'puma32', 'mnsim', 'neurosim22', one"),
        ("@22nm", "unknown calibration ''"),
        ("isaac32@22", "must be written as in 'isaac32@22nm', got '22'"),
        ("isaac32@", "must be written as in 'isaac32@22nm', got ''"),
        ("isaac32@7nm", "node_nm must be between 16 and 65, got 7"),
        ("mnsim@22nm", "calibration 'mnsim' cannot be scaled"),
        ("absent.toml", "absent.toml: cannot be read"),
    ],
)
def test_what_is_wrong_is_said(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        estimate(Workload.from_operators([]), PimConfig(), name)
