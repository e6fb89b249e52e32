"""The parts a calibration is made of, as plain data: memories, arithmetic, and what component tables list.

1 mW is 1 pJ/ns, so a part's power at full use divided by its events per ns is the energy of an event.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pimmodel.costs import COMPONENTS, Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part shared by the crossbars of one IMA or tile, as a component table lists it.

    Attributes:
        component: One of COMPONENTS, where its energy and area are booked.
        power_mw: At full use, static power included.
        area_um2: Of all its instances in the IMA or tile.
        events_per_ns: Bytes, operations or elements per ns at full use.
        static_mw: Drawn whether it is used or not.

    Raises:
        ValueError: the component is unknown, or static power is more than power.
    """

    component: str
    power_mw: float
    area_um2: float
    events_per_ns: float
    static_mw: float = 0.0

    def __post_init__(self) -> None:
        if self.component not in COMPONENTS:
            raise ValueError(f"unknown component {self.component!r}; components are {', '.join(map(repr, COMPONENTS))}")
        if self.static_mw > self.power_mw:
            raise ValueError(f"static power must be at most power, {self.power_mw} mW, got {self.static_mw} mW")

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
        capacity_bytes: Of one channel or stack; tables that take more do not fit.
    """

    energy_pj_per_bit: float
    burst_bytes: int
    access_ns: float
    burst_ns: float
    capacity_bytes: int


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
class Movement:
    """Energy of moving one byte between an operator and the buffers of its tile.

    Attributes:
        buffer_pj_per_byte: Each byte read or written.
        bus_pj_per_byte: Each byte over the bus of the tile, in or out.
        router_pj_per_byte: Each result byte, one hop on.
    """

    buffer_pj_per_byte: float
    bus_pj_per_byte: float
    router_pj_per_byte: float

    def energy_pj(self, bytes_in: Floats, bytes_out: Floats) -> dict[str, Floats]:
        """Energy of reading inputs from buffers and writing results to them, by component."""
        n_bytes = bytes_in + bytes_out
        return {
            "buffer": n_bytes * self.buffer_pj_per_byte,
            "interconnect": n_bytes * self.bus_pj_per_byte + bytes_out * self.router_pj_per_byte,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class TableMemory:
    """Embedding tables in ReRAM on the chip: the cells of a row are sensed together, bit by bit.

    Attributes:
        cell_area_um2: One cell, its share of the periphery included.
        sense_ns: Resolving one bit of a row's cells.
        sense_energy_pj: Resolving one cell, by its bits, 1 to 4.
    """

    cell_area_um2: float
    sense_ns: float
    sense_energy_pj: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.sense_energy_pj) != 4:
            raise ValueError(f"sense_energy_pj must have 4 entries, got {len(self.sense_energy_pj)}")


def by_bits(table: Sequence[float], bits: NDArray[np.int64]) -> Floats:
    """Values of a per-bit table (first entry: 1 bit) at `bits`, in the shape of `bits`."""
    values: Floats = np.asarray(table, dtype=np.float64)[bits - 1]
    return values
