"""neurosim22: DNN+NeuroSim V1.4 at 22 nm (SAR ADCs, ReRAM 1T1R cells, LSTP transistors) as a closed form.

NeuroSim is github.com/neurosim/DNN_NeuroSim_V1.4; files named below are those of Inference_pytorch/NeuroSIM.
Energy is a fit to its runs of fully connected networks (8 % median error) in three terms: conversions, cell
operations, bits moved. Area and time follow the source: sub-arrays of a crossbar and its converters, tiles of
4 x 4 of them, the smallest its floorplan makes, and one clock for everything, set by one conversion.
What NeuroSim has no word for is taken from ISAAC32, its digital arithmetic scaled to 22 nm.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pimmodel.calibration import Calibration
from pimmodel.calibrations.isaac32 import ISAAC32
from pimmodel.components import Movement, by_bits
from pimmodel.config import PimConfig
from pimmodel.costs import Floats, OperatorCosts, Operators
from pimmodel.mapping import n_adcs, n_arrays, per_design
from pimmodel.scaling import scaled_digital

SIDE = 4  # sub-arrays along one side of a tile; conventional mapping makes none smaller (Chip.cpp)
PES = SIDE // 2  # processing elements along it


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _SubArrays:
    """What the sub-arrays of n operators look like, (n,) or (1,) each.

    Attributes:
        size: Wordlines, and bitlines, of one.
        slices: Conversions that make up one result: the cells that hold a weight, or differential pairs of them.
        lines_per_weight: Bitlines of one weight.
        bitlines: Of the whole matrix.
        input_cycles, groups: Cycles that feed in an activation; wordline groups that take turns.
        adcs, n_in_turn: ADCs of one sub-array; conversions that take turns at one ADC.
        adc_bits, activation_bits: Of the configuration.
        result_bits: Of a sum on its way out of a tile.
        adder_bits, register_bits: Of the units behind one ADC that add groups, slices and input cycles.
    """

    size: Floats
    slices: Floats
    lines_per_weight: Floats
    bitlines: Floats
    input_cycles: Floats
    groups: Floats
    adcs: Floats
    n_in_turn: Floats
    adc_bits: Floats
    activation_bits: Floats
    result_bits: Floats
    adder_bits: Floats
    register_bits: Floats

    @classmethod
    def of(cls, operators: Operators, config: PimConfig) -> _SubArrays:
        """Those of the operators of B designs. Bit counts: SubArray.cpp and ProcessingUnit.cpp."""
        size, cell_bits, adc_bits, activation_bits, adcs = (
            operators.each(values)
            for values in (
                per_design(config.crossbar_size),
                per_design(config.cell_bits),
                per_design(config.adc_bits),
                per_design(config.activation_bits),
                n_adcs(config),
            )
        )
        arrays = operators.each(n_arrays(config))
        groups = np.ceil(size / operators.each(per_design(config.n_active_wordlines)))
        input_cycles = np.ceil(activation_bits / operators.each(per_design(config.dac_bits)))
        slices = np.ceil(operators.weight_bits / cell_bits)
        group_bits = np.ceil(np.log2(groups))
        adds_groups, adds_slices, adds_cycles = groups > 1, slices > 1, input_cycles > 1
        return cls(
            size=size,
            slices=slices,
            lines_per_weight=slices * arrays,
            bitlines=operators.out_features * slices * arrays,
            input_cycles=input_cycles,
            groups=groups,
            adcs=adcs,
            n_in_turn=np.ceil(size / arrays / adcs),
            adc_bits=adc_bits,
            activation_bits=activation_bits,
            result_bits=adc_bits + group_bits + activation_bits + (slices - 1) * cell_bits + 4,
            adder_bits=adds_groups * (adc_bits + group_bits - 1)
            + adds_slices * adc_bits
            + adds_cycles * (adc_bits + slices),
            register_bits=adds_groups * (adc_bits + group_bits)
            + adds_slices * (adc_bits + slices)
            + adds_cycles * (adc_bits + slices + input_cycles),
        )


def _bus_wires(arrays: _SubArrays) -> Floats:
    """(n,) wires of the chip's bus that end at one tile: one for each wordline and each ADC along its side."""
    return SIDE * (arrays.size + arrays.adcs)


@dataclass(frozen=True, slots=True, kw_only=True)
class NeurosimCalibration(Calibration):
    """Constants of sub-arrays and tiles. Tuples hold one value per bit, the first for 1 bit.

    A sub-array is a rectangle: wordline drivers beside the cells; above and below these, as wide as they are,
    bitline drivers, column decoder, ADCs and the units that add conversions up. Since its update of 2023-09-20
    NeuroSim counts the whole rectangle, most of it white; before, its parts. Drivers and white space are booked as
    "crossbar". A tile has 2 x 2 processing elements (PEs) of 2 x 2 sub-arrays.

    Attributes:
        adc_pj_per_bit: One conversion, per bit of resolution.
        cell_read_pj: One cell in one input cycle.
        io_pj_per_bit: One bit into or out of an operator.
        dac_energy_pj, dac_area_um2: What a DAC of 1 to 8 bits takes beyond the 1-bit driver of a wordline: each
            time it drives, and each wordline.
        adc_area_um2: One converter, by adc_bits 1 to 12.
        clock_base_ns, clock_ns_per_bit: Clock period, linear in the bits of the ADC.
        cell_width_um, cell_height_um: One cell, along the wordline and along the bitline.
        wordline_driver_um: Width of the wordline drivers, which keep to the height of the cells.
        bitline_driver_um: Height of the bitline drivers.
        decoder_um_per_column: Height of the column decoder, for each column that shares an ADC.
        adder_um2_per_bit, register_um2_per_bit: A full adder, a flip-flop.
        bus_pitch_um: One wire of the chip's bus, its runs along both axes taken together.
        buffer_word_bits: Bits that a tile's buffer gives out per clock: this many, or of each
            buffer_word_bits it stores, one.
        chip_buffer_word_bits: Bits that the chip's buffer gives out per clock.

    Raises:
        ValueError: a per-bit table has the wrong length, or a memory is missing.
    """

    adc_pj_per_bit: float
    cell_read_pj: float
    io_pj_per_bit: float
    dac_energy_pj: tuple[float, ...]
    dac_area_um2: tuple[float, ...]
    adc_area_um2: tuple[float, ...]
    clock_base_ns: float
    clock_ns_per_bit: float
    cell_width_um: float
    cell_height_um: float
    wordline_driver_um: float
    bitline_driver_um: float
    decoder_um_per_column: float
    adder_um2_per_bit: float
    register_um2_per_bit: float
    bus_pitch_um: float
    buffer_word_bits: int
    chip_buffer_word_bits: int

    def __post_init__(self) -> None:
        Calibration.__post_init__(self)
        self._check_lengths({"adc_area_um2": 12, "dac_energy_pj": 8, "dac_area_um2": 8})

    @property
    def movement(self) -> Movement:
        """NeuroSim's term for bits moved, buffers and buses in one, booked as "buffer"."""
        return Movement(buffer_pj_per_byte=8 * self.io_pj_per_bit, bus_pj_per_byte=0.0, router_pj_per_byte=0.0)

    def mvm_costs(self, operators: Operators, n_copies: Floats, config: PimConfig) -> OperatorCosts:
        """Products of n_vectors input vectors with stored matrices of in_features x out_features.

        Inputs are bit-serial in NeuroSim; a DAC of d bits takes ceil(activation_bits / d) cycles here. An
        operator has tiles of its own whatever `execution` says, as in both of NeuroSim's modes. Left out:
        leakage; larger tiles; the copies that fill the spare room of a tile and by which NeuroSim divides the time
        even of a single vector (`n_copies` says how many copies there are); activation and pooling units.

        Args:
            operators: The n operators of B designs; each has at least one vector.
            n_copies: (n,) or (1,) copies of the matrix, 1 to n_vectors.
            config: B configurations, or one.
        """
        arrays = _SubArrays.of(operators, config)
        n_in, n_out, n_vectors = operators.in_features, operators.out_features, operators.n_vectors
        n_tiles = np.ceil(n_in / (SIDE * arrays.size)) * np.ceil(arrays.bitlines / (SIDE * arrays.size)) * n_copies

        element_bytes = arrays.activation_bits / 8
        energy_pj = self.movement.energy_pj(n_in * n_vectors * element_bytes, n_out * n_vectors * element_bytes)
        vector_cycles = n_vectors * arrays.input_cycles
        n_conversions = vector_cycles * np.ceil(n_in / arrays.size) * arrays.groups * (n_out * arrays.slices)
        n_drives = vector_cycles * n_in * np.ceil(arrays.bitlines / arrays.size)
        energy_pj |= {
            "adc": n_conversions * arrays.adc_bits * self.adc_pj_per_bit,
            "dac": n_drives * operators.each(by_bits(self.dac_energy_pj, np.atleast_1d(config.dac_bits))),
            "crossbar": vector_cycles * n_in * arrays.bitlines * self.cell_read_pj,
        }

        clock_ns = self.clock_base_ns + self.clock_ns_per_bit * arrays.adc_bits
        turns_ns = np.ceil(n_vectors / n_copies) * clock_ns
        time_ns = {name: clocks * turns_ns for name, clocks in self._vector_clocks(operators, arrays).items()}
        return OperatorCosts(
            energy_pj=energy_pj,
            time_ns=time_ns | {"crossbar": np.zeros(1)},  # the cells are read while the ADC converts
            area_um2={name: n_tiles * um2 for name, um2 in self._tile_area_um2(operators, arrays, config).items()},
            busy_ns=sum(time_ns.values(), np.zeros(1)),
            overhead_ns=np.zeros(1),
            n_crossbars=n_tiles * SIDE**2,
            n_used_cells=n_in * arrays.bitlines * n_copies,
            n_tiles=n_tiles,
        )

    def _vector_clocks(self, operators: Operators, arrays: _SubArrays) -> dict[str, Floats]:
        """(n,) clocks of one vector in each component, one after the other.

        Source: SubArray.cpp (all columns of an ADC take turns, used or not), AdderTree.cpp (a clock per result in
        the PE, another in the tile), Buffer.cpp, Tile.cpp, Chip.cpp (words in and out, over H-tree and bus).
        """
        tile_lines = SIDE * arrays.size
        bits_in = np.minimum(operators.in_features, tile_lines) * arrays.activation_bits
        bits_out = np.ceil(np.minimum(arrays.bitlines, tile_lines) / arrays.lines_per_weight) * arrays.result_bits
        chip_bits = (operators.in_features + operators.out_features) * arrays.activation_bits
        word_in = np.maximum(PES * arrays.size * arrays.activation_bits / self.buffer_word_bits, self.buffer_word_bits)
        word_out = np.maximum(PES * arrays.adcs * arrays.result_bits / self.buffer_word_bits, self.buffer_word_bits)
        return {
            "adc": arrays.input_cycles * arrays.groups * arrays.n_in_turn,
            "shift_add": 2 * np.ceil(arrays.n_in_turn / arrays.slices),
            "buffer": bits_in / word_in + bits_out / word_out + chip_bits / self.chip_buffer_word_bits,
            "interconnect": (bits_in + bits_out) / tile_lines + chip_bits / _bus_wires(arrays),
        }

    def _tile_area_um2(self, operators: Operators, arrays: _SubArrays, config: PimConfig) -> dict[str, Floats]:
        """(n,) area of one tile and its stretch of the bus, by component.

        Source: SubArray.cpp, ProcessingUnit.cpp, Tile.cpp, XYBus.cpp. PEs and tile hold a register for each
        wordline and ADC; an adder per ADC merges the rows of a PE, another the PEs of a tile.
        """
        adc_um2 = arrays.adcs * operators.each(by_bits(self.adc_area_um2, np.atleast_1d(config.adc_bits)))
        shift_add_um2 = arrays.adcs * (
            arrays.adder_bits * self.adder_um2_per_bit + arrays.register_bits * self.register_um2_per_bit
        )
        width_um = arrays.size * self.cell_width_um
        height_um = (
            arrays.size * self.cell_height_um
            + self.bitline_driver_um
            + operators.each(per_design(config.columns_per_adc)) * self.decoder_um_per_column
            + (adc_um2 + shift_add_um2) / width_um
        )
        rectangle_um2 = height_um * (width_um + self.wordline_driver_um)
        dac_um2 = arrays.size * operators.each(by_bits(self.dac_area_um2, np.atleast_1d(config.dac_bits)))
        adder_bits = (SIDE * PES + SIDE * (PES - 1)) * arrays.adcs * arrays.result_bits
        register_bits = (PES**2 + PES) * (arrays.size * arrays.activation_bits + arrays.adcs * arrays.result_bits)
        return {
            "adc": SIDE**2 * adc_um2,
            "dac": SIDE**2 * dac_um2,
            "crossbar": SIDE**2 * (rectangle_um2 - adc_um2 - shift_add_um2),
            "shift_add": SIDE**2 * shift_add_um2 + adder_bits * self.adder_um2_per_bit,
            "buffer": register_bits * self.register_um2_per_bit,
            "interconnect": _bus_wires(arrays) * self.bus_pitch_um * SIDE * np.sqrt(rectangle_um2),
        }


F_UM = 0.022
INVERTER_F2 = 28 * 7.6  # smallest standard cell: 28 F high, two gate pitches of 3.8 F wide (constant.h)
REGISTER_F2 = 12 * INVERTER_F2  # DFF.cpp
ADDER_F2 = 9 * 28 * 11.4  # nine NAND2 (Adder.cpp)
# LevelShifter.cpp, with its factor 1.44 for wires: 70 F high; stages of 15.2, 2 x 15.2 and 45.6 F, the last two
# 2.5 times as long. A wordline has two of them, a bitline one; they take most of a sub-array.
LEVEL_SHIFTER_F2 = 1.44 * 70 * (15.2 + 2.5 * (2 * 15.2 + 45.6))
# NewSwitchMatrix.cpp and SwitchMatrix.cpp, registers included: 1216 F beside the wordlines, 240 F above the bitlines.
SWITCH_WIDTH_F, SWITCH_HEIGHT_F = 1216, 240
CELL_WIDTH_F, CELL_HEIGHT_F = 12, 4  # Param.cpp

# Digital arithmetic from 32 to 22 nm: energy 0.66 to 0.29 of that at 45 nm, area 0.46 to 0.25 (Aladdin's data).
ENERGY_32_TO_22 = 0.29 / 0.66
AREA_32_TO_22 = 0.25 / 0.46


# The three terms: fits to NeuroSim's dynamic energy of fully connected networks, 22 nm, SAR ADCs.
ADC_PJ_PER_BIT = 0.0132
CELL_READ_PJ = 0.58e-3
IO_PJ_PER_BIT = 0.117

NEUROSIM22 = NeurosimCalibration(
    name="neurosim22",
    node_nm=22,
    source="DNN+NeuroSim V1.4, 22 nm: Peng et al., IEDM 2019; Lee et al., IEEE TCAS-I 2024",
    adc_pj_per_bit=ADC_PJ_PER_BIT,
    cell_read_pj=CELL_READ_PJ,
    io_pj_per_bit=IO_PJ_PER_BIT,
    # NeuroSim drives 1 bit. ISAAC32's wider DACs, scaled as digital circuits, less its 1-bit one.
    dac_energy_pj=tuple(ENERGY_32_TO_22 * (pj - ISAAC32.dac_energy_pj[0]) for pj in ISAAC32.dac_energy_pj),
    dac_area_um2=tuple(AREA_32_TO_22 * (um2 - ISAAC32.dac_area_um2[0]) for um2 in ISAAC32.dac_area_um2),
    # Measured in runs: 122, 186, 209, 238 um2 at 4, 6, 8, 10 bits; interpolated. Beyond them SarADC.cpp's slope:
    # 182 transistors per bit where 4 bits take 1024, 21.7 um2.
    adc_area_um2=(56.9, 78.6, 100.3, 122.0, 154.0, 186.0, 197.5, 209.0, 223.5, 238.0, 259.7, 281.4),
    # SarADC.cpp: 1 ns per bit and one more, times 1.4 (Param.cpp, beta); the drivers' share makes 12.7 ns of the
    # 12.6 ns at 8 bits, as measured.
    clock_base_ns=1.5,
    clock_ns_per_bit=1.4,
    cell_width_um=CELL_WIDTH_F * F_UM,
    cell_height_um=CELL_HEIGHT_F * F_UM,
    wordline_driver_um=(2 * LEVEL_SHIFTER_F2 / CELL_HEIGHT_F + SWITCH_WIDTH_F) * F_UM,
    bitline_driver_um=(LEVEL_SHIFTER_F2 / CELL_WIDTH_F + SWITCH_HEIGHT_F) * F_UM,
    decoder_um_per_column=28 * F_UM,  # one gate per address: RowDecoder.cpp
    adder_um2_per_bit=ADDER_F2 * F_UM**2,
    register_um2_per_bit=REGISTER_F2 * F_UM**2,
    bus_pitch_um=(28 + 7.6) / 4 * F_UM,  # XYBus.cpp: repeaters set the pitch; folded 4 times (Param.cpp)
    buffer_word_bits=32,  # Param.cpp: register files of 32 x 32 bits in a tile, 128 x 128 on the chip
    chip_buffer_word_bits=128,
    digital=scaled_digital(ISAAC32.digital, ENERGY_32_TO_22, AREA_32_TO_22),
    drams=ISAAC32.drams,
    # The macro that ISAAC32 scales to 32 nm is a 22 nm one; its cells are sensed here with NeuroSim's ADC.
    table_memory=replace(
        ISAAC32.table_memory,
        cell_area_um2=ISAAC32.table_memory.cell_area_um2 * (22 / 32) ** 2,
        sense_energy_pj=tuple(bits * ADC_PJ_PER_BIT + CELL_READ_PJ for bits in range(1, 5)),
    ),
    # 2 V through cells of 100 kohm and 1.7 Mohm, half of each (Param.cpp), for as long as ISAAC32 writes.
    cell_write_energy_pj=2.0**2 * (1 / 100e3 + 1 / 1.7e6) / 2 * ISAAC32.row_write_ns * 1e3,  # W ns is nJ
    row_write_ns=ISAAC32.row_write_ns,
    cell_endurance_writes=ISAAC32.cell_endurance_writes,
)
