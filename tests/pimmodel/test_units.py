from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pimmodel.units import converted, dimension, quantity, split_unit

FAMILIES = [
    ["aJ", "fJ", "pJ", "nJ", "uJ", "mJ", "J"],
    ["ps", "ns", "us", "ms", "s"],
    ["nm", "um", "mm", "cm", "m"],
    ["nm2", "um2", "mm2", "cm2", "m2"],
    ["pW", "nW", "uW", "mW", "W", "pJ/ns"],
    ["uV", "mV", "V"],
    ["ohm", "kohm", "Mohm"],
    ["bit", "B", "KB", "MB", "GB"],
    ["1/ns", "1/us", "1/s", "S/s", "kS/s", "MS/s", "GS/s", "Hz", "kHz", "MHz", "GHz"],
    ["pJ/bit", "pJ/B", "nJ/KB", "aJ/bit"],
    ["bit/ns", "B/ns", "GB/s", "MB/us"],
    ["ns/KB2", "ps/B2"],
]


@pytest.mark.parametrize(
    ("number", "unit", "ours", "expected"),
    [
        # Powers of ten, except sizes: 64 KB of eDRAM are 65536 B, a 1 B is 8 bits. An area goes by the square.
        ("1.8", "fJ", "pJ", 0.0018),
        ("0.001", "nJ", "pJ", 1.0),
        ("0.05", "us", "ns", 50.0),
        ("0.0096", "mm2", "um2", 9600.0),
        ("3.9", "uW", "mW", 0.0039),
        ("64", "KB", "B", 65536.0),
        ("2", "GB", "B", 2.0 * 1024**3),
        ("8", "B", "bit", 64.0),
        ("64", "pJ/B", "pJ/bit", 8.0),
        ("1.28", "GS/s", "1/ns", 1.28),
        ("1280", "MS/s", "1/ns", 1.28),
        ("500", "MHz", "1/ns", 0.5),
        ("1", "B/ns", "bit/ns", 8.0),
        ("29.7", "kohm", "ohm", 29700.0),
        ("150", "mV", "V", 0.15),
        ("5", "pJ/ns", "mW", 5.0),
        ("1", "ns/B2", "ns/KB2", 1024.0**2),
        ("0", "fJ", "pJ", 0.0),
    ],
)
def test_converted(number: str, unit: str, ours: str, expected: float) -> None:
    assert converted(number, unit, ours) == expected


@given(
    value=st.floats(min_value=1e-30, max_value=1e30),
    units=st.sampled_from(FAMILIES).flatmap(lambda family: st.tuples(*[st.sampled_from(family)] * 2)),
)
def test_there_and_back(value: float, units: tuple[str, str]) -> None:
    there, back = units
    assert dimension(there) == dimension(back)
    # two roundings, each at most half a unit in the last place, 2^-53
    assert converted(repr(converted(repr(value), there, back)), back, there) == pytest.approx(value, rel=3e-16, abs=0)


@given(st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-(10**15), 10**15)))
def test_own_unit_changes_nothing(value: float) -> None:
    same = converted(repr(value), "pJ", "pJ")
    assert repr(same) == repr(value)


@pytest.mark.parametrize("number", ["1e999999999", "1e-999999999", "nan", "inf", "1e308"])
def test_extreme_numbers_are_floats_at_once(number: str) -> None:
    assert isinstance(converted(number, "J", "aJ"), float)


def test_families_do_not_convert_into_each_other() -> None:
    dimensions = [dimension(family[0]) for family in FAMILIES]
    assert len(set(dimensions)) == len(FAMILIES)


@pytest.mark.parametrize(
    ("name", "stem", "unit"),
    [
        ("adc_energy_pj", "adc_energy", "pJ"),
        ("cell_area_um2", "cell_area", "um2"),
        ("area_mm2", "area", "mm2"),
        ("static_mw", "static", "mW"),
        ("settle_ms", "settle", "ms"),
        ("access_ns", "access", "ns"),
        ("node_nm", "node", "nm"),
        ("edram_bytes", "edram", "B"),
        ("word_bits", "word", "bit"),
        ("read_volt", "read", "V"),
        ("high_ohm", "high", "ohm"),
        ("energy_pj_per_bit", "energy", "pJ/bit"),
        ("buffer_pj_per_byte", "buffer", "pJ/B"),
        ("tile_link_bits_per_ns", "tile_link", "bit/ns"),
        ("wire_ns_per_kb2", "wire", "ns/KB2"),
        ("read_ns_per_wordline", "read_per_wordline", "ns"),
        ("adc_samples_per_ns", "adc_samples", "1/ns"),
        ("events_per_ns", "events", "1/ns"),
        ("crossbars_per_ima", "crossbars_per_ima", ""),
        ("n_lanes", "n_lanes", ""),
        ("overhead_clocks", "overhead_clocks", ""),
        ("name", "name", ""),
        ("bits", "bits", ""),
    ],
)
def test_split_unit(name: str, stem: str, unit: str) -> None:
    assert split_unit(name) == (stem, unit)


def test_quantity() -> None:
    assert quantity("pJ") == "an energy such as pJ"
    assert quantity("bit") == "a data size such as bit"
    assert quantity("pJ/bit") == "a quantity such as pJ/bit"


@pytest.mark.parametrize(
    ("number", "unit", "ours", "message"),
    [
        ("1", "um2", "pJ", "must be an energy such as pJ, got 'um2'; units are aJ, fJ, pJ, nJ, uJ, mJ, J"),
        ("1", "pj", "pJ", "got 'pj'"),
        ("1", "", "pJ", "got ''"),
        ("1", "mm", "um2", "must be an area such as um2, got 'mm'; units are nm2, um2, mm2, cm2, m2"),
        ("1", "pJ", "pJ/bit", "units are aJ, fJ, pJ, nJ, uJ, mJ, J per bit, B, KB, MB, GB"),
        ("1", "pJ/bit/s", "pJ/bit", "got 'pJ/bit/s'"),
        ("1", "B", "1/ns", "must be a rate such as 1/ns, got 'B'"),
        ("3/4", "pJ", "pJ", "must be a number, got '3/4'"),
        ("", "pJ", "pJ", "must be a number, got ''"),
    ],
)
def test_wrong_units(number: str, unit: str, ours: str, message: str) -> None:
    with pytest.raises(ValueError, match=r"^must be") as error:
        converted(number, unit, ours)
    assert message in str(error.value)
