"""mnsim: MNSIM 2.0's own arithmetic, with its quirks.

A layer owns whole tiles of 2 x 2 processing elements (PE). A PE is a differential pair of crossbars with DACs,
ADCs, registers and an input buffer, and holds one weight slice of one row and column tile; the outputs of a
tile's PEs meet in a tree of joint modules and one output buffer. Energy is power times the time a part works.

Quirks, kept because the simulator says so; not to be taken for hardware:
- The ADC's sample rate is its bit clock: a conversion takes bits + 2 samples, 15.6 pJ at 8 bits, 9.4 times
  what ISAAC counts for the same converter. An 8-bit DAC draws 0.5 W, W where mW is meant.
- DAC and crossbar work again for every group of columns that takes its turn at the ADCs: nothing is held.
- Every PE is charged as the layer's largest, and PEs that stand idle in the last tile as if they worked.
- A buffer takes 20 ns per word whatever its size, and all buffers are as large as the neediest layer's. Leakage
  is charged in buffers only, while they read and again while they write, in their energy; `static_mw` is 0.
- Each wordline has a driver of 1150 um2, which dominates the area. Each tile has 64 pooling units, used or not.
- Between PEs and between tiles, bits take time and no energy.

Read differently than the simulator:
- Weight slices. Signs are in the differential pair: S = ceil((weight_bits - 1) / cell_bits), at least 1, as MNSIM
  slices weights where it simulates accuracy. Where it counts PEs it takes one bit per cell whatever the device:
  `cell_bits=1` gives those counts, as nothing else depends on it (a cell draws the same at any number of levels).
- Converters without an entry (ADC 2, 3, 5, 7, 9, 11 and 12 bits, DAC 5 and 7), which the simulator's user
  defines: power, sample rate and area change by a constant factor per bit from one entry to the next.
- Copies of a matrix take tiles of their own and share out the vectors.

Left out: time between tiles. A layer of several tiles gathers its results in one, and each layer sends its own to
the next, at 20 Gb/s per hop; hops follow from where all layers lie on a grid. Nothing else depends on it.

What MNSIM has no arithmetic for (products of two activations in digital units, embedding tables, element-wise
functions, the bytes they move, writing cells for one inference) is costed with the records of isaac32.

Source: github.com/thu-nics/MNSIM-2.0, commit ca39ccb, default SimConfig.ini with Subarray_Size = Xbar_Size =
crossbar_size, DAC_Num = n_active_wordlines and ADC_Num = crossbar_size // columns_per_adc; Zhu et al., IEEE TCAD
2023, doi:10.1109/TCAD.2023.3251696.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pimmodel.calibration import Calibration
from pimmodel.calibrations import mnsim_tables as tables
from pimmodel.calibrations.isaac32 import ISAAC32
from pimmodel.components import Movement, by_bits
from pimmodel.config import PimConfig
from pimmodel.costs import Floats, OperatorCosts, Operators
from pimmodel.mapping import per_design


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PeWork:
    """How n layers lie on PEs, and what one input vector takes; each (n,), all of one copy.

    Attributes:
        n_slices, n_pes, n_tiles: Of the layer.
        n_tile_pes: PEs charged in each of its tiles.
        n_merges: Levels of the tree that joins their outputs.
        n_rows, n_columns: Wordlines and bitlines used in its largest crossbar.
        n_row_groups, n_column_groups: Groups of them that take turns at the DACs and the ADCs.
        n_rounds: Times that DACs, crossbar and ADCs work, one after the other.
        n_driving, n_converting: DACs and ADCs of a PE that work in one round.
    """

    n_slices: Floats
    n_pes: Floats
    n_tiles: Floats
    n_tile_pes: Floats
    n_merges: Floats
    n_rows: Floats
    n_columns: Floats
    n_row_groups: Floats
    n_column_groups: Floats
    n_rounds: Floats
    n_driving: Floats
    n_converting: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class MnsimCalibration(Calibration):
    """Constants of MNSIM 2.0. Tuples by bits hold one value per bit, the first for 1 bit.

    Attributes:
        fallback_movement: `movement`.
        adc_power_mw, adc_samples_per_ns, adc_area_um2: One ADC while it works, by adc_bits 1 to 12.
        dac_power_mw, dac_area_um2: One DAC while it works, by dac_bits 1 to 8.
        dac_samples_per_ns: Of every DAC.
        read_volt, read_share: Read voltage, and the share of cells that see it.
        high_ohm, low_ohm, low_share: Resistance of a cell in its highest and lowest state, and the share of
            cells in the lowest.
        read_ns: Read time of a cell.
        wire_ns_per_kb, wire_ns_per_kb2: What the wires add, linear and quadratic in KB of 1-bit cells.
        cell_area_um2, driver_area_um2: One cell; the driver of one wordline.
        pes_per_tile: PEs of a tile, a power of two.
        logic: Registers, multiplexers, joint modules, pooling.
        buffers: By technology node in nm.
        buffer_nm: The node used.
        word_bits, word_ns: A buffer's word and its access time.
        tile_link_bits_per_ns: Between PEs of a tile.

    Raises:
        ValueError: a table has the wrong length, or buffers have no entry for buffer_nm.
    """

    fallback_movement: Movement
    adc_power_mw: tuple[float, ...]
    adc_samples_per_ns: tuple[float, ...]
    adc_area_um2: tuple[float, ...]
    dac_power_mw: tuple[float, ...]
    dac_area_um2: tuple[float, ...]
    dac_samples_per_ns: float
    read_volt: float
    read_share: float
    high_ohm: float
    low_ohm: float
    low_share: float
    read_ns: float
    wire_ns_per_kb: float
    wire_ns_per_kb2: float
    cell_area_um2: float
    driver_area_um2: float
    pes_per_tile: int
    logic: tables.Logic
    buffers: Mapping[int, tables.Buffers]
    buffer_nm: int
    word_bits: int
    word_ns: float
    tile_link_bits_per_ns: float

    def __post_init__(self) -> None:
        Calibration.__post_init__(self)
        self._check_lengths(
            {"adc_power_mw": 12, "adc_samples_per_ns": 12, "adc_area_um2": 12, "dac_power_mw": 8, "dac_area_um2": 8}
        )
        if self.buffer_nm not in self.buffers:
            nodes = ", ".join(map(str, self.buffers))
            raise ValueError(f"buffer_nm of calibration {self.name!r} must be one of {nodes}, got {self.buffer_nm}")

    @property
    def movement(self) -> Movement:
        """For work outside crossbars, which MNSIM does not cost; `mvm_costs` does not use it."""
        return self.fallback_movement

    @property
    def cell_power_mw(self) -> float:
        """Mean power of a cell while its crossbar is read."""
        conductance = (1 - self.low_share) / self.high_ohm + self.low_share / self.low_ohm
        return self.read_share * self.read_volt**2 * conductance * 1e3

    def pe_work(self, operators: Operators, config: PimConfig) -> PeWork:
        """The PEs that layers take and the rounds they work; arguments as `mvm_costs`."""
        size = operators.each(per_design(config.crossbar_size))
        n_slices = np.ceil((operators.weight_bits - 1) / operators.each(per_design(config.cell_bits))).clip(min=1.0)
        n_pes = n_slices * np.ceil(operators.out_features / size) * np.ceil(operators.in_features / size)
        n_tile_pes = np.minimum(n_pes, self.pes_per_tile)
        n_rows, n_columns = np.minimum(operators.in_features, size), np.minimum(operators.out_features, size)
        n_row_groups = np.ceil(n_rows / operators.each(per_design(config.n_active_wordlines)))
        n_column_groups = np.ceil(n_columns / operators.each(_adcs(config)))
        input_cycles = np.ceil(per_design(config.activation_bits) / per_design(config.dac_bits))
        return PeWork(
            n_slices=n_slices,
            n_pes=n_pes,
            n_tiles=np.ceil(n_pes / self.pes_per_tile),
            n_tile_pes=n_tile_pes,
            n_merges=np.ceil(np.log2(n_tile_pes)),
            n_rows=n_rows,
            n_columns=n_columns,
            n_row_groups=n_row_groups,
            n_column_groups=n_column_groups,
            n_rounds=operators.each(input_cycles) * n_row_groups * n_column_groups,
            n_driving=np.ceil(n_rows / operators.each(_lines_per_dac(config))),
            n_converting=np.ceil(n_columns / operators.each(_lines_per_adc(config))),
        )

    def mvm_costs(self, operators: Operators, n_copies: Floats, config: PimConfig) -> OperatorCosts:
        """Products of n_vectors input vectors with stored matrices of in_features x out_features.

        Args:
            operators: The n operators of B designs; each has at least one vector. Those of a design are the
                layers of one network: all their buffers are as large as the neediest asks for.
            n_copies: (n,) or (1,) copies of the matrix, 1 to n_vectors.
            config: B configurations, or one. `execution` and `weight_encoding` change nothing: layers own
                whole tiles, and weights are differential.

        Returns:
            Costs of components that work one after the other. "digital" holds registers, shift registers,
            multiplexers, joint modules and, in area, pooling; "interconnect" is the way within a tile,
            which takes no energy.
        """
        work = self.pe_work(operators, config)
        adc_bits, dac_bits = np.atleast_1d(config.adc_bits), np.atleast_1d(config.dac_bits)
        kilobytes = per_design(config.crossbar_size) ** 2 / 8192
        round_ns = {
            "adc": np.where(adc_bits == 1, 1.0, adc_bits + 2.0) / by_bits(self.adc_samples_per_ns, adc_bits),
            "dac": (dac_bits + 2.0) / self.dac_samples_per_ns,
            "crossbar": self.read_ns + kilobytes * (self.wire_ns_per_kb + kilobytes * self.wire_ns_per_kb2),
        }
        # of the used cells and their twins, those in reach of one group of DACs and one of ADCs
        cell_mw = 2 * self.cell_power_mw / (_lines_per_dac(config) * _lines_per_adc(config))
        pe_mw = {
            "adc": work.n_converting * operators.each(by_bits(self.adc_power_mw, adc_bits)),
            "dac": work.n_driving * operators.each(by_bits(self.dac_power_mw, dac_bits)),
            "crossbar": work.n_rows * work.n_columns * operators.each(cell_mw),
        }
        n_charged = work.n_tiles * work.n_tile_pes
        vector_ns = {name: work.n_rounds * operators.each(ns) for name, ns in round_ns.items()}
        vector_pj = {name: n_charged * power_mw * vector_ns[name] for name, power_mw in pe_mw.items()}
        vector_ns["digital"], vector_pj["digital"] = self._digital(work, operators, config)
        vector_ns["buffer"], vector_pj["buffer"], buffers_um2 = self._buffers(work, operators, config)
        vector_ns["interconnect"] = self._merge_ns(work, operators, config)

        n_turns, n_tiles = np.ceil(operators.n_vectors / n_copies), work.n_tiles * n_copies
        n_cells = 2 * work.n_slices * operators.in_features * operators.out_features
        tile_um2 = self.tile_area_um2(config) | {"buffer": buffers_um2}
        return OperatorCosts(
            energy_pj={name: operators.n_vectors * energy_pj for name, energy_pj in vector_pj.items()},
            time_ns={name: n_turns * ns for name, ns in vector_ns.items()},
            area_um2={name: n_tiles * operators.each(area_um2) for name, area_um2 in tile_um2.items()},
            busy_ns=n_turns * np.sum(list(vector_ns.values()), axis=0),
            overhead_ns=np.zeros(1),
            n_crossbars=n_tiles * (2 * self.pes_per_tile),
            n_used_cells=n_cells * n_copies,
            n_tiles=n_tiles,
        )

    def tile_area_um2(self, config: PimConfig) -> dict[str, Floats]:
        """Area of one tile but its buffers, by component; each (B,) or (1,)."""
        size, logic = per_design(config.crossbar_size), self.logic
        n_dacs, n_adcs = per_design(config.n_active_wordlines), _adcs(config)
        demux_um2, mux_um2 = (
            logic.multiplexer(n_lines) * logic.transistor_area_um2
            for n_lines in (_lines_per_dac(config), _lines_per_adc(config))
        )
        digital_um2 = n_dacs * (logic.register_area_um2 + demux_um2) + n_adcs * (
            logic.register_area_um2 + logic.shift_register_area_um2 + mux_um2
        )
        joints_um2 = (self.pes_per_tile - 1) * n_adcs * logic.joint_area_um2
        return {
            "adc": self.pes_per_tile * n_adcs * by_bits(self.adc_area_um2, np.atleast_1d(config.adc_bits)),
            "dac": self.pes_per_tile * n_dacs * by_bits(self.dac_area_um2, np.atleast_1d(config.dac_bits)),
            "crossbar": 2 * self.pes_per_tile * size * (size * self.cell_area_um2 + self.driver_area_um2),
            "digital": self.pes_per_tile * digital_um2 + joints_um2 + logic.pooling_area_um2,
        }

    def _digital(self, work: PeWork, operators: Operators, config: PimConfig) -> tuple[Floats, Floats]:
        """Time and energy of registers, multiplexers and joint modules for one vector."""
        logic, lines = self.logic, (_lines_per_dac(config), _lines_per_adc(config))
        demux_ns, mux_ns = (
            work.n_rounds * operators.each(logic.stages(n_lines) * stage_ns)
            for n_lines, stage_ns in zip(lines, (logic.demux_stage_ns, logic.mux_stage_ns), strict=True)
        )
        demux_mw, mux_mw = (operators.each(logic.multiplexer(n_lines) * logic.transistor_power_mw) for n_lines in lines)
        input_ns = (work.n_row_groups * work.n_column_groups + work.n_rounds) * logic.clock_ns
        shift_ns = work.n_rounds * logic.clock_ns
        output_ns = work.n_column_groups * logic.clock_ns
        joint_ns = work.n_merges * logic.clock_ns
        driving_pj = work.n_driving * (demux_mw * demux_ns + logic.register_power_mw * input_ns)
        converting_pj = work.n_converting * (
            mux_mw * mux_ns + logic.shift_register_power_mw * shift_ns + logic.register_power_mw * output_ns
        )
        joint_pj = (work.n_tile_pes - 1) * work.n_converting * (logic.joint_power_mw * joint_ns)
        energy_pj = work.n_tiles * (work.n_tile_pes * (driving_pj + converting_pj) + joint_pj)
        return input_ns + shift_ns + demux_ns + mux_ns + output_ns + joint_ns, energy_pj

    def _buffers(self, work: PeWork, operators: Operators, config: PimConfig) -> tuple[Floats, Floats, Floats]:
        """Time and energy of the buffers for one vector, (n,), and the area of a tile's, (B,)."""
        activation_bits = operators.each(per_design(config.activation_bits))
        converted_bits = operators.each(per_design(config.adc_bits)) + work.n_merges
        outputs = work.n_columns * work.n_tile_pes
        input_words = np.ceil(work.n_rows * activation_bits / self.word_bits)
        read_ns = (input_words + np.ceil(outputs * activation_bits / self.word_bits)) * self.word_ns
        write_ns = (input_words + np.ceil(outputs * converted_bits / self.word_bits)) * self.word_ns

        input_bytes = operators.in_features * (activation_bits / 8) / work.n_pes
        output_bytes = 2 * operators.out_features * (activation_bits / 8) / work.n_tiles
        sram = self.buffers[self.buffer_nm]
        per_pe, per_tile = (
            np.searchsorted(np.array(tables.BUFFER_KB[:-1]) * 1024, operators.largest(n_bytes))
            for n_bytes in (input_bytes, output_bytes)
        )
        energy_pj = np.zeros(1)
        for word_pj, ns in ((sram.read_pj, read_ns), (sram.write_pj, write_ns)):
            power_mw = np.asarray(word_pj) / self.word_ns + np.asarray(sram.leakage_mw)
            tile_mw = work.n_tile_pes * operators.each(power_mw[per_pe]) + operators.each(power_mw[per_tile])
            energy_pj = energy_pj + work.n_tiles * tile_mw * ns
        area_um2 = np.asarray(sram.area_mm2) * 1e6
        return read_ns + write_ns, energy_pj, self.pes_per_tile * area_um2[per_pe] + area_um2[per_tile]

    def _merge_ns(self, work: PeWork, operators: Operators, config: PimConfig) -> Floats:
        """Time that the outputs of a tile's PEs take through its tree; they grow by a bit per level joined."""
        levels, merges = np.log2(self.pes_per_tile), work.n_merges
        n_bits = levels * (operators.each(per_design(config.adc_bits)) + merges) - merges * (merges + 1) / 2
        return np.asarray(n_bits * work.n_columns / self.tile_link_bits_per_ns)


def _adcs(config: PimConfig) -> Floats:
    """(B,) ADCs of a PE; bitlines left over by a share that does not divide them make turns longer."""
    adcs: Floats = per_design(config.crossbar_size) // per_design(config.columns_per_adc)
    return adcs


def _lines_per_dac(config: PimConfig) -> Floats:
    """(B,) wordlines that a DAC serves in turn."""
    lines: Floats = np.ceil(per_design(config.crossbar_size) / per_design(config.n_active_wordlines))
    return lines


def _lines_per_adc(config: PimConfig) -> Floats:
    """(B,) bitlines, or pairs of them, that an ADC serves in turn."""
    lines: Floats = np.ceil(per_design(config.crossbar_size) / _adcs(config))
    return lines


MNSIM = MnsimCalibration(
    name="mnsim",
    source="MNSIM 2.0, github.com/thu-nics/MNSIM-2.0 at ca39ccb: Zhu et al., IEEE TCAD 2023, "
    "doi:10.1109/TCAD.2023.3251696",
    node_nm=130,  # cells and multiplexers; buffers are at buffer_nm, registers and joint modules at 45 nm
    adc_power_mw=tables.ADC_POWER_MW,
    adc_samples_per_ns=tables.ADC_SAMPLES_PER_NS,
    adc_area_um2=tables.ADC_AREA_UM2,
    dac_power_mw=tables.DAC_POWER_MW,
    dac_area_um2=tables.DAC_AREA_UM2,
    dac_samples_per_ns=1.0,
    read_volt=0.15,
    read_share=0.1,
    high_ohm=1e6,
    low_ohm=1e4,
    low_share=0.33,
    read_ns=3.16,
    wire_ns_per_kb=5e-9,
    wire_ns_per_kb2=2e-7,
    cell_area_um2=1.44,
    driver_area_um2=1150.0,
    pes_per_tile=4,
    logic=tables.LOGIC,
    buffers=tables.BUFFERS,
    buffer_nm=90,
    word_bits=64,
    word_ns=20.0,
    tile_link_bits_per_ns=1024.0,
    digital=ISAAC32.digital,
    fallback_movement=ISAAC32.movement,
    drams=ISAAC32.drams,
    table_memory=ISAAC32.table_memory,
    cell_write_energy_pj=ISAAC32.cell_write_energy_pj,
    row_write_ns=ISAAC32.row_write_ns,
    cell_endurance_writes=ISAAC32.cell_endurance_writes,
)
