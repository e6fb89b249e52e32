"""A calibration: what every event costs and every instance occupies, as plain data.

Counts come from `mapping`, costs from here; a calibration is a file of constants with sources.
1 mW is 1 pJ/ns, so a part's power at full use divided by its events per ns is the energy of an event.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pimmodel.config import PimConfig

Floats: TypeAlias = NDArray[np.float64]

COMPONENTS = (
    "adc",
    "dac",
    "crossbar",
    "sample_hold",
    "shift_add",
    "buffer",
    "interconnect",
    "digital",
    "embedding_memory",
    "leakage",
)
"""Names of the cost components, in the order of every breakdown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part shared by the crossbars of one IMA or tile, as a component table lists it.

    Attributes:
        component: One of COMPONENTS, where its energy and area are booked.
        power_mw: At full use, static power included.
        area_um2: Of all its instances in the IMA or tile.
        events_per_ns: Bytes, operations or elements per ns at full use.
        static_mw: Drawn whether it is used or not.
    """

    component: str
    power_mw: float
    area_um2: float
    events_per_ns: float
    static_mw: float = 0.0

    @property
    def energy_pj(self) -> float:
        """Energy of one event, static power excluded."""
        return (self.power_mw - self.static_mw) / self.events_per_ns


@dataclass(frozen=True, slots=True, kw_only=True)
class Dram:
    """Memory beside the chip that holds embedding tables; it takes no chip area.

    Attributes:
        energy_pj_per_bit: Of every bit moved; whole bursts are moved.
        burst_bytes: Bytes of one access.
        access_ns: From the request to the first data of a row that is not open.
        burst_ns: Time per burst when accesses follow each other at random addresses.
    """

    energy_pj_per_bit: float
    burst_bytes: int
    access_ns: float
    burst_ns: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Digital:
    """Digital arithmetic: n_lanes elements per clock; tuples hold one value per operand width, 1 to 16 bits."""

    n_lanes: int
    clock_ns: float
    overhead_clocks: int
    mac_energy_pj: tuple[float, ...]
    mac_area_um2: tuple[float, ...]
    add_energy_pj: tuple[float, ...]
    add_area_um2: tuple[float, ...]
    multiply_energy_pj: tuple[float, ...]
    multiply_area_um2: tuple[float, ...]
    table_energy_pj: float
    table_area_um2: float

    def __post_init__(self) -> None:
        for arithmetic in ("mac", "add", "multiply"):
            for table in (f"{arithmetic}_energy_pj", f"{arithmetic}_area_um2"):
                if len(getattr(self, table)) != 16:
                    raise ValueError(f"{table} must have 16 entries, got {len(getattr(self, table))}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Every constant of the cost model. Tuples hold one value per bit, the first for 1 bit.

    Attributes:
        name: Key in CALIBRATIONS.
        source: Where the constants come from.
        adc_energy_pj, adc_area_um2: One conversion and one converter, by adc_bits 1 to 12.
        adc_samples_per_ns: Conversions per ns of one ADC.
        dac_energy_pj, dac_area_um2: One wordline driven for one cycle and its driver, by dac_bits 1 to 8.
        cell_read_energy_pj: One cell in a driven wordline and a used bitline, one cycle.
        cell_area_um2: One cell of a crossbar.
        read_ns_per_wordline: Crossbar read time per wordline driven together.
        cell_write_energy_pj, row_write_ns: Writing a cell; writing the cells of one wordline at once.
        sample_energy_pj, sample_hold_area_um2: One bitline sampled; the circuit of one bitline.
        shift_add_energy_pj, shift_add_area_um2: Merging one conversion; the units' share of one ADC.
        reference_crossbar_size: Crossbar size at which the groups below are given. Their shared
            parts follow the wordlines they serve: a crossbar of another size takes a share in proportion.
        crossbars_per_ima, imas_per_tile, tiles_per_chip: Grouping at the reference size.
        ima_parts: "input_register" and "output_register" (events are bytes).
        tile_parts: "edram", "bus", "router", "output_register" (bytes), "shift_add" (operations)
            and parts that only stand there.
        chip_parts: Parts outside the tiles; whole-chip figures only.
        pipeline_overhead_cycles: Cycles an MVM takes beyond those of its input bits.
        digital: Digital arithmetic.
        drams: By table_memory name.
        table_cell_area_um2: One cell of an on-chip ReRAM table, its share of the periphery included.
        table_sense_ns: Resolving one bit of a table row's cells.

    Raises:
        ValueError: a per-bit table has the wrong length, or a memory or a part is missing.
    """

    name: str
    source: str
    adc_energy_pj: tuple[float, ...]
    adc_area_um2: tuple[float, ...]
    adc_samples_per_ns: float
    dac_energy_pj: tuple[float, ...]
    dac_area_um2: tuple[float, ...]
    cell_read_energy_pj: float
    cell_area_um2: float
    read_ns_per_wordline: float
    cell_write_energy_pj: float
    row_write_ns: float
    sample_energy_pj: float
    sample_hold_area_um2: float
    shift_add_energy_pj: float
    shift_add_area_um2: float
    reference_crossbar_size: int
    crossbars_per_ima: int
    imas_per_tile: int
    tiles_per_chip: int
    ima_parts: Mapping[str, Part]
    tile_parts: Mapping[str, Part]
    chip_parts: Mapping[str, Part]
    pipeline_overhead_cycles: int
    digital: Digital
    drams: Mapping[str, Dram]
    table_cell_area_um2: float
    table_sense_ns: float

    def __post_init__(self) -> None:
        for table, length in (
            ("adc_energy_pj", 12),
            ("adc_area_um2", 12),
            ("dac_energy_pj", 8),
            ("dac_area_um2", 8),
        ):
            if len(getattr(self, table)) != length:
                raise ValueError(
                    f"{table} of calibration {self.name!r} must have {length} entries, one per bit, "
                    f"got {len(getattr(self, table))}"
                )
        for field, names in (
            ("drams", {"lpddr4", "hbm2"}),
            ("ima_parts", {"input_register", "output_register"}),
            ("tile_parts", {"edram", "bus", "router", "shift_add", "output_register"}),
        ):
            if missing := sorted(names - getattr(self, field).keys()):
                raise ValueError(f"{field} of calibration {self.name!r} must name {missing[0]!r}")

    @property
    def digest(self) -> str:
        """16 hexadecimal digits that change with any constant; stored with every result."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]

    @property
    def ima_wordlines(self) -> int:
        """Wordlines one IMA serves."""
        return self.reference_crossbar_size * self.crossbars_per_ima

    @property
    def tile_wordlines(self) -> int:
        """Wordlines one tile serves."""
        return self.ima_wordlines * self.imas_per_tile

    @property
    def tile_static_mw(self) -> float:
        """Static power of one tile."""
        imas_mw = self.imas_per_tile * sum(part.static_mw for part in self.ima_parts.values())
        return imas_mw + sum(part.static_mw for part in self.tile_parts.values())


def by_bits(table: Sequence[float], bits: NDArray[np.int64]) -> Floats:
    """Values of a per-bit table (first entry: 1 bit) at `bits`, in the shape of `bits`."""
    values: Floats = np.asarray(table, dtype=np.float64)[bits - 1]
    return values


def n_adcs(config: PimConfig) -> Floats:
    """(B,) ADCs of one crossbar, ceil(crossbar_size / columns_per_adc); (1,) for a scalar config."""
    adcs: Floats = np.ceil(np.atleast_1d(config.crossbar_size) / np.atleast_1d(config.columns_per_adc))
    return adcs


def crossbar_area_um2(config: PimConfig, calibration: Calibration) -> dict[str, Floats]:
    """Area of one crossbar with its own converters, by component; each (B,) or (1,)."""
    size = np.atleast_1d(np.asarray(config.crossbar_size, dtype=np.float64))
    dac_um2 = by_bits(calibration.dac_area_um2, np.atleast_1d(config.dac_bits))
    adc_um2 = by_bits(calibration.adc_area_um2, np.atleast_1d(config.adc_bits))
    area_um2: dict[str, Floats] = {
        "adc": n_adcs(config) * adc_um2,
        "dac": size * dac_um2,
        "crossbar": size**2 * calibration.cell_area_um2,
        "sample_hold": size * calibration.sample_hold_area_um2,
        "shift_add": n_adcs(config) * calibration.shift_add_area_um2,
    }
    return area_um2


def mapped_crossbar_area_um2(config: PimConfig, calibration: Calibration) -> dict[str, Floats]:
    """`crossbar_area_um2` plus the crossbar's share of its IMA's and tile's parts, by component.

    A crossbar's share is its wordlines over those the IMA or tile serves. Shares are not rounded up to
    whole tiles: the tail of the last tile serves other work.
    """
    size = np.atleast_1d(np.asarray(config.crossbar_size, dtype=np.float64))
    area_um2 = crossbar_area_um2(config, calibration)
    for parts, wordlines in (
        (calibration.ima_parts, calibration.ima_wordlines),
        (calibration.tile_parts, calibration.tile_wordlines),
    ):
        for part in parts.values():
            share_um2 = size / wordlines * part.area_um2
            area_um2[part.component] = area_um2.get(part.component, 0.0) + share_um2
    return area_um2
