"""What MNSIM 2.0 holds as tables: converters, SRAM buffers, logic.

Figures from its default SimConfig.ini and hardware models (github.com/thu-nics/MNSIM-2.0, commit ca39ccb; Zhu et
al., IEEE TCAD 2023, doi:10.1109/TCAD.2023.3251696).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pimmodel.costs import Floats

BUFFER_KB = (2, 4, 8, 16, 32, 64, 128, 256, 512)
"""Sizes of the tabulated buffers. A smaller one is charged as 2 KB, a larger one as 512 KB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Buffers:
    """SRAM of one technology node with 64-bit words, one value per size in BUFFER_KB.

    Attributes:
        read_pj, write_pj: One word.
        leakage_mw, area_mm2: One buffer.

    Raises:
        ValueError: a table has the wrong length.
    """

    read_pj: tuple[float, ...]
    write_pj: tuple[float, ...]
    leakage_mw: tuple[float, ...]
    area_mm2: tuple[float, ...]

    def __post_init__(self) -> None:
        for table in ("read_pj", "write_pj", "leakage_mw", "area_mm2"):
            if len(getattr(self, table)) != len(BUFFER_KB):
                raise ValueError(f"{table} must have {len(BUFFER_KB)} entries, got {len(getattr(self, table))}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Logic:
    """Digital parts of a tile.

    Attributes:
        clock_ns: Cycle of them all.
        register_power_mw, register_area_um2: At every DAC and every ADC.
        shift_register_power_mw, shift_register_area_um2: At every ADC.
        joint_power_mw, joint_area_um2: What joins the outputs of one ADC of two PEs.
        multiplexer_transistors: Of a multiplexer, or demultiplexer, that serves at most 2, 4, 8, 16, 32 or
            more lines.
        transistor_power_mw, transistor_area_um2: One of these.
        demux_stage_ns, mux_stage_ns: A stage of 8 lines of a demultiplexer and of a multiplexer.
        pooling_area_um2: Pooling units of a tile.

    Raises:
        ValueError: multiplexer_transistors has the wrong length.
    """

    clock_ns: float
    register_power_mw: float
    register_area_um2: float
    shift_register_power_mw: float
    shift_register_area_um2: float
    joint_power_mw: float
    joint_area_um2: float
    multiplexer_transistors: tuple[int, ...]
    transistor_power_mw: float
    transistor_area_um2: float
    demux_stage_ns: float
    mux_stage_ns: float
    pooling_area_um2: float

    def __post_init__(self) -> None:
        if len(self.multiplexer_transistors) != 6:
            raise ValueError(f"multiplexer_transistors must have 6 entries, got {len(self.multiplexer_transistors)}")

    def multiplexer(self, n_lines: Floats) -> Floats:
        """Transistors of a multiplexer that serves n_lines."""
        transistors: Floats = np.asarray(self.multiplexer_transistors, dtype=np.float64)
        return transistors[np.searchsorted((2, 4, 8, 16, 32), n_lines)]

    @staticmethod
    def stages(n_lines: Floats) -> Floats:
        """Stages that MNSIM counts for n_lines: two, and one more from 8, from 64 and from 512 lines on."""
        n_stages: Floats = np.searchsorted((1, 8, 64, 512), n_lines, side="right") + np.float64(1)
        return n_stages


def log_linear(entries: Mapping[int, float], max_bits: int) -> tuple[float, ...]:
    """Values for 1 to max_bits bits: the entries, and between them a constant factor per bit.

    Beyond the last entry the last factor goes on. `entries` must hold 1 bit and another one.
    """
    known = sorted(entries)
    values = []
    for bits in range(1, max_bits + 1):
        upper = next((entry for entry in known[1:] if entry >= bits), known[-1])
        lower = known[known.index(upper) - 1]
        share = (bits - lower) / (upper - lower)
        values.append(entries.get(bits, entries[lower] ** (1 - share) * entries[upper] ** share))
    return tuple(values)


# ADC_Choice 8 (sense amplifier), 7, 6, 2 (ISAAC's) and 1; other bits are interpolated.
ADC_POWER_MW = log_linear({1: 0.1086 * 15e-3, 4: 0.7, 6: 1.26, 8: 2.0, 10: 6.92}, 12)
ADC_SAMPLES_PER_NS = log_linear({1: 1.0, 4: 1.0, 6: 1.0, 8: 1.28, 10: 1.5}, 12)
ADC_AREA_UM2 = log_linear({1: 1.0, 4: 500.0, 6: 1650.0, 8: 1200.0, 10: 1600.0}, 12)

# DAC_Choice 1 to 6: 1, 2, 3, 4, 6 and 8 bits. Power doubles per bit up to 6, and so here at 7; at 8 the source has
# W where it means mW, a thousand times too much.
DAC_POWER_MW = log_linear({1: 0.0039, 2: 0.0078, 3: 0.0156, 4: 0.0312, 6: 0.1248, 7: 0.2496, 8: 499.2}, 8)
DAC_AREA_UM2 = log_linear({1: 0.166, 2: 0.332, 3: 0.664, 4: 1.328, 6: 5.312, 8: 21.248}, 8)

_SCALE = (45 / 65) ** 2  # registers and joint modules are given at 65 nm and used at 45 nm

LOGIC = Logic(
    clock_ns=2.0,
    register_power_mw=18.8e-6 * _SCALE,
    register_area_um2=1.4256 * _SCALE,
    shift_register_power_mw=8.1e-4,
    shift_register_area_um2=1.42,
    joint_power_mw=0.264 * _SCALE,
    joint_area_um2=353.76 * _SCALE,
    multiplexer_transistors=(8, 24, 72, 216, 648, 1944),
    transistor_power_mw=10 * 1.2e-6,
    transistor_area_um2=10 * 0.13**2,
    demux_stage_ns=0.27933,
    mux_stage_ns=0.032744,
    pooling_area_um2=91917.1562,
)

# CACTI, by technology node in nm.
BUFFERS = {
    90: Buffers(
        read_pj=(7.5695, 8.54257, 18.382, 44.837, 61.8356, 103.042, 156.421, 275.02, 356.492),
        write_pj=(13.1361, 19.9484, 21.1344, 43.7094, 60.1423, 88.27501, 116.896, 162.096, 243.037),
        leakage_mw=(1.006428, 1.95684, 4.1222, 8.86342, 17.46566, 32.1096, 63.688, 121.8756, 243.484),
        area_mm2=(
            *(0.0405803, 0.0686947, 0.156974886, 0.616313686, 1.060004216),
            *(1.974404875, 3.583918894, 6.974574682, 14.22112082),
        ),
    ),
    65: Buffers(
        read_pj=(8.23002, 12.0839, 15.8937, 24.8548, 34.9618, 58.3935, 90.5117, 131.652, 205.608),
        write_pj=(9.83737, 12.9198, 17.7355, 23.7539, 33.0736, 45.0215, 64.3685, 95.0392, 133.284),
        leakage_mw=(4.33154, 7.75758, 14.98076, 26.6168, 52.3788, 96.3408, 191.03, 367.718, 730.276),
        area_mm2=(
            *(0.069914533, 0.117554, 0.185984, 0.321651, 0.552979),
            *(1.02955, 1.86953, 4.110732386, 7.345004718),
        ),
    ),
    45: Buffers(
        read_pj=(3.66611, 5.45155, 7.17156, 11.3831, 16.0867, 27.2693, 42.6012, 62.4646, 93.3836),
        write_pj=(4.31575, 5.71403, 7.78673, 10.522, 14.5269, 19.9489, 28.2674, 59.5076, 78.9223),
        leakage_mw=(3.06844, 5.51418, 10.65116, 19.25676, 37.9354, 69.7894, 138.4138, 299.266, 551.922),
        area_mm2=(
            *(0.026389593, 0.043660718, 0.06910098, 0.12167763, 0.209317302),
            *(0.389828369, 0.707812758, 1.692348078, 2.972110865),
        ),
    ),
}
