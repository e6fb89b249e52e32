"""The cost sheet: its parts add up to its totals in every form, and the command says what is wrong."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest

from moco.costs.breakdown import CostSheet, cost_csv, cost_json, cost_sheet, cost_text
from pimmodel import CALIBRATIONS, COMPONENTS, ISAAC, PimConfig
from spaces import PUBLISHED_NETWORKS, from_compact
from tests.moco.command_line import Cli

NETWORK = from_compact("FC16|EFC8|11|0|0|0,0 ; DP32|ATT4|00|01|1|0,1")


@pytest.fixture(params=sorted(CALIBRATIONS), scope="module")
def sheet(request: pytest.FixtureRequest) -> CostSheet:
    return cost_sheet(PUBLISHED_NETWORKS["kdd2012-full"], PimConfig(adc_bits=6), 3, (1000,) * 10, request.param)


def table(text: str, head: str) -> dict[str, list[str]]:
    """Rows of one table of the text, by their first word."""
    lines = iter(text.splitlines())
    next(line for line in lines if line.startswith(head))
    rows: dict[str, list[str]] = {}
    for line in lines:
        if not line:
            break
        name, *cells = re.split(r"\s{2,}", line.strip())
        rows[name] = cells
    return rows


def number(text: str) -> float:
    return float(text.replace(",", "").replace("%", ""))


def test_text_adds_up(sheet: CostSheet) -> None:
    text = cost_text(sheet)
    by_component, by_operator = table(text, "component"), table(text, "operator")
    assert tuple(by_component) == COMPONENTS
    assert list(by_operator)[-1] == f"{len(sheet.parts.operators) - 12} others"
    energy_pj = sheet.totals["energy_pj"]
    for rows in (by_component, by_operator):
        assert sum(number(cells[0]) for cells in rows.values()) == pytest.approx(energy_pj, abs=0.1 * len(rows))
        assert sum(number(cells[1]) for cells in rows.values()) == pytest.approx(100, abs=0.1 * len(rows))
    assert sum(number(cells[3]) for cells in by_component.values()) == pytest.approx(
        sheet.totals["area_mm2"], abs=1e-5 * len(by_component)
    )
    shown = [number(cells[0]) for cells in list(by_operator.values())[:-1]]
    assert shown == sorted(shown, reverse=True)
    assert max(map(len, text.splitlines())) <= 110


def test_all_operators_stand_in_the_networks_order(sheet: CostSheet) -> None:
    assert tuple(table(cost_text(sheet, None), "operator")) == sheet.parts.operators
    assert sheet.parts.operators[0] == "embedding"
    assert sheet.parts.operators[-1] == "head_sigmoid"


def test_totals_say_what_they_are() -> None:
    sheet = cost_sheet(NETWORK, PimConfig(product_unit="crossbar"), 3, (5, 70))
    text, totals = cost_text(sheet), sheet.totals
    # Operations per joule: two a multiply-accumulate, at the power of full rate.
    per_w = 2 * totals["n_macs"] * totals["throughput_per_s"] / (totals["power_mw"] * 1e-3)
    assert totals["tops_per_w"] == pytest.approx(per_w / 1e12)
    assert f"{totals['tops_per_w']:.4g} TOPS/W" in text
    assert totals["throughput_per_s_mm2"] == pytest.approx(1e9 / totals["period_ns"] / totals["area_mm2"])
    assert f"{totals['throughput_per_s_mm2']:,.0f} per s and mm2" in text
    assert f"{totals['lifetime_s'] / (365.25 * 86400):,.4g} years" in text
    assert "lifetime" not in cost_text(cost_sheet(NETWORK, ISAAC, 3, (5, 70)))
    assert "one at a time" in cost_text(cost_sheet(NETWORK, PimConfig(execution="layer-by-layer"), 3, (5, 70)))


def test_remarks_stand_in_every_form() -> None:
    sheet = cost_sheet(NETWORK, PimConfig(adc_bits=5), 3, (5, 70))
    assert any("lossless column sums need 8" in remark for remark in sheet.remarks)
    flat = " ".join(cost_text(sheet).split())
    assert all(f"- {remark}" in flat for remark in sheet.remarks)
    assert json.loads(cost_json(sheet))["remarks"] == list(sheet.remarks)
    full = cost_sheet(PUBLISHED_NETWORKS["kdd2012-full"], ISAAC, 3, (1000,) * 10)
    assert full.remarks == ()
    assert "remarks" not in cost_text(full)


def test_json_and_csv_add_up(sheet: CostSheet) -> None:
    entries, rows = json.loads(cost_json(sheet)), list(csv.DictReader(io.StringIO(cost_csv(sheet))))
    totals = entries["totals"]
    assert entries["calibration"]["digest"] == sheet.calibration.digest
    assert PimConfig.from_json(json.dumps(entries["hardware"])) == sheet.chip
    assert totals["lifetime_s"] is None  # nothing is written, so nothing wears
    for parts in (entries["by_component"], entries["by_operator"], rows):
        for name in ("energy_pj", "area_mm2"):
            assert sum(float(part[name]) for part in parts) == pytest.approx(totals[name])
    for entry, row in zip(entries["by_operator"], rows, strict=True):
        assert {name: float(value) for name, value in row.items() if name != "operator"} == {
            name: value for name, value in entry.items() if name != "operator"
        }
        assert sum(float(row[f"{component}_energy_pj"]) for component in COMPONENTS) == pytest.approx(
            float(row["energy_pj"])
        )


@pytest.mark.parametrize(
    ("n_dense", "cardinalities", "message"),
    [
        (-1, (5, 70), "dense fields must be 0 or more, got -1"),
        (3, (5, 0), r"a table of at least one row, got \[5, 0\]"),
        (3, (), r"a table of at least one row, got \[\]"),
    ],
)
def test_impossible_data(n_dense: int, cardinalities: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cost_sheet(NETWORK, ISAAC, n_dense, cardinalities)


@pytest.fixture
def design(tmp_path: Path) -> Path:
    """The file of a small network."""
    (tmp_path / "network.json").write_text(NETWORK.to_json())
    return tmp_path / "network.json"


@pytest.fixture
def cost(design: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """`moco cost` of the small network."""
    return Cli(monkeypatch, capsys, "cost", design, "--dense", 3, "--table-rows", "5,70")


def test_command_writes_what_it_is_asked_for(cost: Cli, tmp_path: Path) -> None:
    code, out, _ = cost("--csv", tmp_path / "new" / "costs.csv", "--plot", tmp_path / "costs.png", "--json")
    assert code == 0
    sheet = cost_sheet(NETWORK, ISAAC, 3, (5, 70))
    assert out == cost_json(sheet) + "\n"
    assert (tmp_path / "new" / "costs.csv").read_text() == cost_csv(sheet)
    assert (tmp_path / "costs.png").read_bytes().startswith(b"\x89PNG")
    assert cost()[1] == cost_text(sheet) + "\n"
    assert cost("--all")[1] == cost_text(sheet, None) + "\n"


def test_command_reads_a_chip_and_a_calibration(cost: Cli, tmp_path: Path) -> None:
    chip = tmp_path / "chip.json"
    chip.write_text(PimConfig(adc_bits=6).to_json())
    own = tmp_path / "own.toml"
    own.write_text('name = "own"\nsource = "a test"\nbase = "isaac32"\nrow_write = "50 ns"\n')
    code, out, err = cost("--hardware", chip, "--calibration", own, "--json")
    assert code == 0, err
    entries = json.loads(out)
    assert entries["hardware"]["adc_bits"] == 6
    assert entries["calibration"]["name"] == "own"


def test_command_refuses_in_one_line(cost: Cli, tmp_path: Path) -> None:
    (tmp_path / "noise").write_bytes(b"\xff\xfe\x00{")
    (tmp_path / "file").write_text("here")
    for arguments, message in (
        (("--plot", tmp_path / "a.jpg"), "must end in .png, .svg, .pdf, got 'a.jpg'"),
        (("--calibration", "cmos"), "unknown calibration 'cmos'"),
        (("--calibration", tmp_path / "absent.toml"), "absent.toml"),
        (("--hardware", tmp_path / "noise"), "noise is not a text file"),
        (("--hardware", tmp_path / "absent.json"), "No such file or directory"),
        (("--csv", tmp_path / "file" / "a.csv"), "cannot write"),
        (("--table-rows", "5,-70"), "a table of at least one row, got [5, -70]"),
    ):
        code, out, err = cost(*arguments)
        assert (code, out) == (1, ""), err
        assert message in err
        assert "Traceback" not in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "network.json", "noise"]
