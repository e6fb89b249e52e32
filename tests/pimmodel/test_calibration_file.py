from __future__ import annotations

import json
import re
import tomllib
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pimmodel import CALIBRATIONS, Calibration, IsaacCalibration, calibration_file
from pimmodel.calibration_file import calibration_dict, calibration_from_dict, calibration_text, read_calibration
from pimmodel.calibrations.isaac32 import ISAAC32
from pimmodel.scaling import scaled

NAMED = pytest.mark.parametrize("calibration", CALIBRATIONS.values(), ids=CALIBRATIONS)
HEAD = 'name = "mychip"\nsource = "test chip"\nbase = "isaac32"\n'
ISAAC_ENTRIES = calibration_dict(ISAAC32) | {"name": "mychip"}


def written(folder: Path, text: str, name: str = "mine.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def with_entry(path: str, entry: Any) -> dict[str, Any]:
    """isaac32's entries under another name, one of them changed, or left out for None."""
    entries = deepcopy(ISAAC_ENTRIES)
    *tables, key = path.split(".")
    table = entries
    for name in tables:
        table = table.setdefault(name, {})
    table[key] = entry
    if entry is None:
        del table[key]
    return entries


@NAMED
def test_text_and_back(calibration: Calibration, tmp_path: Path) -> None:
    again = read_calibration(written(tmp_path, calibration_text(calibration)))
    assert again == calibration
    assert type(again) is type(calibration)
    assert again.digest == calibration.digest


@NAMED
def test_json_and_back(calibration: Calibration, tmp_path: Path) -> None:
    again = read_calibration(written(tmp_path, json.dumps(calibration_dict(calibration)), "mine.json"))
    assert again == calibration
    assert again.digest == calibration.digest


@NAMED
def test_text_holds_the_dict(calibration: Calibration) -> None:
    assert tomllib.loads(calibration_text(calibration)) == calibration_dict(calibration)


def test_scaled_calibrations_can_be_written() -> None:
    at_22 = scaled(ISAAC32, 22)
    again = calibration_from_dict(calibration_dict(at_22))
    assert (again, again.digest) == (at_22, at_22.digest)


@example(1e-5, 'a "quote", a \\, a tab\t, a line\n, \x00, \x7f, µ, \U0001f600')
@given(st.floats(min_value=5e-324, max_value=1e300), st.text().filter(str.strip))
def test_any_float_and_string_survive(value: float, text: str) -> None:
    odd = replace(ISAAC32, name="odd", source=text.encode("utf-8", "replace").decode(), row_write_ns=value)
    again = calibration_from_dict(tomllib.loads(calibration_text(odd)))
    assert (again, again.digest) == (odd, odd.digest)


def test_odd_names_of_parts_survive() -> None:
    parts = {'a "b".c d': ISAAC32.tile_parts["edram"], "µ": ISAAC32.tile_parts["bus"]}
    odd = replace(ISAAC32, name="odd", chip_parts=parts)
    assert calibration_from_dict(tomllib.loads(calibration_text(odd))) == odd
    empty = replace(ISAAC32, name="odd", chip_parts={})
    assert calibration_from_dict(tomllib.loads(calibration_text(empty))) == empty


def test_a_written_file_reads_well() -> None:
    lines = calibration_text(ISAAC32).splitlines()
    assert lines[:4] == ['name = "isaac32"', f'source = "{ISAAC32.source}"', 'arithmetic = "isaac"', 'node = "32 nm"']
    assert {'edram = "64 KB"', 'read_per_wordline = "0.78125 ns"', 'events = "34.56 1/ns"'} <= set(lines)
    lpddr4 = lines.index("[drams.lpddr4]")
    assert lines[lpddr4 + 1 : lpddr4 + 6] == [
        'energy = "8 pJ/bit"',
        'burst_bytes = "64 B"',
        'access = "35.5 ns"',
        'burst_ns = "10 ns"',
        'capacity = "2 GB"',
    ]
    assert max(map(len, lines)) <= 120


def test_base_gives_what_the_file_leaves_out(tmp_path: Path) -> None:
    # Table I of ISAAC in other units: 30 pJ per read of 128 x 128 cells, 20.7 mW, 83000 um2, 34.56 B per ns.
    text = """
    cell_read_energy = "2 fJ"
    row_write = "0.05 us"
    cell_endurance_writes = 1e8
    tiles_per_chip = 84

    [tile_parts.edram]
    power = "0.018 W"
    area = "0.083 mm2"

    events = "34560 MS/s"

    [drams.lpddr4]
    energy = "64 pJ/B"
    capacity = "4096 MB"

    [adc_energy]
    unit = "fJ"
    values = [1, 2, 3, 4, 5, 6, 7, 1562.5, 9, 10, 11, 12]
    """
    lpddr4 = ISAAC32.drams["lpddr4"]
    edram = ISAAC32.tile_parts["edram"]
    assert read_calibration(written(tmp_path, HEAD + text)) == replace(
        ISAAC32,
        name="mychip",
        source="test chip",
        cell_read_energy_pj=0.002,
        row_write_ns=50.0,
        cell_endurance_writes=1e8,
        tiles_per_chip=84,
        tile_parts={**ISAAC32.tile_parts, "edram": replace(edram, power_mw=18.0, area_um2=83000.0)},
        drams={**ISAAC32.drams, "lpddr4": replace(lpddr4, energy_pj_per_bit=8.0, capacity_bytes=4 * 2**30)},
        adc_energy_pj=(0.001, 0.002, 0.003, 0.004, 0.005, 0.006, 0.007, 1.5625, 0.009, 0.01, 0.011, 0.012),
    )


def test_a_part_can_be_added(tmp_path: Path) -> None:
    text = '[tile_parts.pads]\ncomponent = "interconnect"\npower = "1 mW"\narea = "2 um2"\nevents = "3 1/ns"\n'
    mine = read_calibration(written(tmp_path, HEAD + text))
    assert isinstance(mine, IsaacCalibration)
    assert mine.tile_parts.keys() - ISAAC32.tile_parts.keys() == {"pads"}
    assert mine.tile_parts["pads"].static_mw == 0.0


def test_the_example_of_the_module_is_a_file(tmp_path: Path) -> None:
    lines = str(calibration_file.__doc__).splitlines()
    example = "\n".join(line[4:] for line in lines if line.startswith("    "))
    mine = read_calibration(written(tmp_path, example))
    assert isinstance(mine, IsaacCalibration)
    assert (mine.name, mine.row_write_ns, mine.dac_energy_pj[7]) == ("mychip", 50.0, 51.2)
    assert mine.tile_parts["edram"].power_mw == 18.0


def test_what_may_be_zero(tmp_path: Path) -> None:
    text = 'pipeline_overhead_cycles = 0\nsample_energy = "0 pJ"\ncell_area = "0 um2"\ndigital.overhead_clocks = 0\n'
    mine = read_calibration(written(tmp_path, HEAD + text + 'tile_parts.bus.power = "0 mW"'))
    assert isinstance(mine, IsaacCalibration)
    assert mine.pipeline_overhead_cycles == mine.digital.overhead_clocks == 0
    assert mine.sample_energy_pj == mine.cell_area_um2 == mine.tile_parts["bus"].power_mw == 0


def test_numbers_of_mnsim_in_other_units() -> None:
    entries = calibration_dict(CALIBRATIONS["mnsim"]) | {"name": "mine", "word_bits": "8 B", "read_volt": "150 mV"}
    mine = calibration_from_dict(entries)
    assert mine == replace(CALIBRATIONS["mnsim"], name="mine")
    assert mine.digest == replace(CALIBRATIONS["mnsim"], name="mine").digest


@pytest.mark.parametrize(
    ("path", "entry", "message"),
    [
        # missing and unknown
        ("name", None, "name is missing; it is a string"),
        ("arithmetic", None, "arithmetic is missing; it is one of 'isaac', "),
        ("adc_energy", None, "adc_energy is missing; it is an energy such as pJ: a table of unit"),
        ("digital.clock", None, 'digital.clock is missing; it is a time such as ns, written "1.5 ns"'),
        ("digital", None, "digital is missing; it is a table of n_lanes, clock, "),
        ("tile_parts", None, "tile_parts is missing; it is a table of tables"),
        ("tile_parts.edram", None, "tile_parts of calibration 'mychip' must name 'edram'"),
        ("adc_enregy", "1 pJ", "unknown entry 'adc_enregy'; did you mean 'adc_energy'?"),
        ("row_write_ns", "1 ns", "unknown entry 'row_write_ns'; did you mean 'row_write'?"),
        ("tile_parts.edram.volume", "1 B", "unknown entry 'tile_parts.edram.volume'; choices are 'component', 'power'"),
        ("arithmetic", "isac", "unknown arithmetic 'isac'; did you mean 'isaac'?"),
        ("base", "isaac31", "unknown base 'isaac31'; did you mean 'isaac32'?"),
        ("base", ["isaac32"], "unknown base a list"),
        (
            "tile_parts.edram.component",
            "bufer",
            "tile_parts.edram: unknown component 'bufer'; components are 'adc', 'dac'",
        ),
        # units
        ("row_write", 10.0, 'row_write must be a time such as ns, written "1.5 ns", got 10.0'),
        ("row_write", "10", "row_write must be a time such as ns, written \"1.5 ns\", got '10'"),
        ("row_write", "10ns", "row_write must be a time such as ns, written \"1.5 ns\", got '10ns'"),
        ("row_write", "10 pJ", "row_write must be a time such as ns, got 'pJ'; units are ps, ns, us, ms, s"),
        ("row_write", "ten ns", "row_write must be a number, got 'ten'"),
        ("row_write", {"unit": "ns", "values": 3}, "row_write must be a time such as ns"),
        ("adc_energy", {"unit": "um2", "values": [1.0] * 12}, "adc_energy must be an energy such as pJ, got 'um2'"),
        ("adc_energy", [1.0] * 12, 'adc_energy must be an energy such as pJ: a table of unit, "pJ", and values'),
        ("adc_energy", {"values": [1.0] * 12}, "got a table of values"),
        ("adc_energy", {"unit": 1, "values": [1.0] * 12}, "got a table of unit, values"),
        ("drams.hbm2.energy", "8 pJ", "drams.hbm2.energy must be a quantity such as pJ/bit, got 'pJ'"),
        ("n_lanes", 4, "unknown entry 'n_lanes'"),
        ("digital.n_lanes", "4 ns", "digital.n_lanes must be a whole number, got '4 ns'"),
        # values
        ("adc_energy", {"unit": "pJ", "values": [1.0] * 3}, "must have 12 entries, one per bit, got 3"),
        ("digital.mac_area", {"unit": "um2", "values": []}, "digital: mac_area_um2 must have 16 entries, got 0"),
        ("adc_energy", {"unit": "pJ", "values": ["1"] * 12}, "adc_energy must hold a list of numbers, got a list"),
        ("adc_energy", {"unit": "pJ", "values": 1.0}, "adc_energy must hold a list of numbers, got 1.0"),
        ("adc_energy", {"unit": "pJ", "values": [-1.0] * 12}, "adc_energy must be 0 or more and finite, got -1.0"),
        (
            "adc_energy",
            {"unit": "pJ", "values": [float("nan")] * 12},
            "adc_energy must be 0 or more and finite, got nan",
        ),
        ("row_write", "0 ns", "row_write must be more than 0 and finite, got 0"),
        ("row_write", "inf ns", "row_write must be more than 0 and finite, got inf"),
        ("row_write", "1e308 s", "row_write must be more than 0 and finite, got 1e308"),
        ("row_write", "1e999999999 s", "row_write must be more than 0 and finite, got 1e999999999"),
        ("tile_parts.edram.events", "0 1/ns", "tile_parts.edram.events must be more than 0"),
        (
            "tile_parts.edram.static",
            "21 mW",
            "tile_parts.edram: static power must be at most power, 20.7 mW, got 21 mW",
        ),
        ("crossbars_per_ima", 0, "crossbars_per_ima must be more than 0"),
        ("crossbars_per_ima", 8.5, "crossbars_per_ima must be a whole number, got 8.5"),
        ("edram", "0.3 B", "edram must be a whole number of B, got 0.3 B"),
        ("cell_endurance_writes", True, "cell_endurance_writes must be a number, got True"),
        ("source", " ", "source must be a string, got ' '"),
        ("source", 5, "source must be a string, got 5"),
        ("digital", 5, "digital must be a table of n_lanes, clock, "),
        ("tile_parts", [], "tile_parts must be a table of tables, got a list"),
        ("drams", {}, "drams of calibration 'mychip' must name 'hbm2'"),
        ("name", "mnsim", "name 'mnsim' is that of a calibration with other constants; give another name"),
    ],
)
def test_what_is_wrong_is_said(path: str, entry: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        calibration_from_dict(with_entry(path, entry))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('base = "isaac32"\nname = "mine"', "source is missing; a calibration that is not its base needs its own"),
        (HEAD + 'arithmetic = "mnsim"', "arithmetic must be that of base 'isaac32', got 'mnsim'; leave it out"),
        (HEAD + "tile_parts.edramm.power = '1 mW'", "the base has no 'edramm' in tile_parts, did you mean 'edram'?"),
        (HEAD.replace("isaac32", "mnsim") + "buffers.45nm = {}", "names in buffers must be whole numbers, got '45nm'"),
        (HEAD.replace("isaac32", "mnsim") + "low_share = 1.5", "low_share must be between 0 and 1 and finite, got 1.5"),
        (HEAD.replace("isaac32", "mnsim") + "buffer = '22 nm'", "buffer_nm of calibration 'mychip' must be one of"),
        ('name = "isaac32"\nsource = "x"\nbase = "isaac32"', "name 'isaac32' is that of a calibration"),
        ("name = ", "not valid TOML: Invalid value"),
        ("a = 1\na = 2", "not valid TOML: Cannot overwrite a value"),
        ("x = " + "[" * 5000, "not valid TOML: "),
        ("", "arithmetic is missing"),
    ],
)
def test_wrong_toml(text: str, message: str, tmp_path: Path) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        read_calibration(path)
    assert str(error.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not valid JSON: "),
        ("[1]", "a calibration must be a JSON object, got a list"),
        ('{"name": "a", "name": "b"}', "not valid JSON: entry 'name' is there twice"),
        ("[" * 100_000, "not valid JSON: "),
    ],
)
def test_wrong_json(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        read_calibration(written(tmp_path, text, "mine.json"))


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nowhere\.toml: cannot be read: No such file"):
        read_calibration(tmp_path / "nowhere.toml")
    with pytest.raises(ValueError, match=r"must end in \.toml or \.json, got '\.py'"):
        read_calibration(written(tmp_path, "", "mine.py"))
    binary = tmp_path / "mine.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="not valid TOML: 'utf-8' codec"):
        read_calibration(binary)


def test_a_byte_order_mark_is_no_error(tmp_path: Path) -> None:
    assert read_calibration(written(tmp_path, "\ufeff" + calibration_text(ISAAC32))) == ISAAC32


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["1 pJ", "2 ns", "0 B"]),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=5), values, max_size=3),
    max_leaves=5,
)


@given(st.data(), JSON)
def test_any_entry_is_read_or_refused(data: st.DataObject, entry: Any) -> None:
    path: list[str] = []
    table: Any = ISAAC_ENTRIES
    while isinstance(table, dict) and (not path or data.draw(st.booleans())):
        path.append(data.draw(st.sampled_from(sorted(table))))
        table = table[path[-1]]
    try:
        mine = calibration_from_dict(with_entry(".".join(path), entry))
    except ValueError:
        return
    assert calibration_from_dict(calibration_dict(mine)) == mine
