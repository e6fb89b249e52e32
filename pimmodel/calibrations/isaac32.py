"""isaac32: ISAAC-CE at 32 nm, the default calibration.

ISAAC is Shafiee et al., ISCA 2016, doi:10.1109/ISCA.2016.12; "Table I" below is its component table,
which prints one power and one area per part. Energies follow from power at full use: in 16 cycles of
100 ns an IMA takes in 2 KB of 16-bit inputs, makes 8 x 128 x 16 conversions and gives out 256 B.
Weights are stored unsigned with ISAAC's biased, column-inverting encoding: one crossbar holds both
signs, with no differential pair.
"""

from __future__ import annotations

from math import log2

from pimmodel.components import Digital, Dram, Part, TableMemory
from pimmodel.isaac import IsaacCalibration

CYCLE_NS = 100.0  # Table I: one crossbar read; 128 columns at 1.28 GS/s take as long
PASS_NS = 16 * CYCLE_NS  # 16-bit inputs, 1 bit per cycle
CROSSBARS = 8  # per IMA
IMAS = 12  # per tile
SIZE = 128

# ADC, 8 bits: 8 in an IMA draw 16 mW and take 0.0096 mm2 (Table I; Kull et al., ISSCC 2013).
ADC_SAMPLES_PER_NS = 1.28
ADC_8BIT_PJ = 16 / CROSSBARS / ADC_SAMPLES_PER_NS
ADC_8BIT_UM2 = 9600 / CROSSBARS


def _adc_energy_pj(bits: int) -> float:
    """ISAAC's 8 bits, scaled as ZigZag-IMC: (100 fF b + 1 aF 4^b) Vdd^2: linear to 9 bits, then noise-bound."""

    def capacitance_ff(b: int) -> float:
        return 100.0 * b + 1e-3 * 4.0**b

    return ADC_8BIT_PJ * capacitance_ff(bits) / capacitance_ff(8)


def _adc_area_um2(bits: int) -> float:
    """ISAAC's 8 bits, scaled as its authors do for a SAR ADC (Saberi et al., TCAS-I 2011): logic, clock and buffers
    grow with the bits, the capacitive DAC doubles with each. hwcomponents-library gives 361, 477, 627, 845, 1200, 1828
    and 3002 um2 at 4 to 10 bits, which is 82 b + 2.13 2^b."""

    def area_um2(b: int) -> float:
        return 82 * b + 2.13 * 2.0**b

    return ADC_8BIT_UM2 * area_um2(bits) / area_um2(8)


# DAC, 1 bit: 8 x 128 in an IMA draw 4 mW and take 0.00017 mm2 (Table I). Wider: MNSIM 2.0's table
# doubles area and power per bit (0.166, 0.332, 0.664, 1.328, 5.312, 21.25 um2 at 1, 2, 3, 4, 6, 8 bits).
DAC_1BIT_PJ = 4 / (CROSSBARS * SIZE) * CYCLE_NS
DAC_1BIT_UM2 = 170 / (CROSSBARS * SIZE)

# Write of a cell: 10 ns at 3 V through 29.7 kohm, MNSIM 2.0's device of 1 Mohm and 10 kohm with one cell
# in three in the low state: V^2 t / R = 3.0 pJ.
WRITE_OHM = 1e6 * 1e4 / (0.67 * 1e4 + 0.33 * 1e6)

# Bytes per ns at full use.
IMA_IN_BYTES_PER_NS = 2048 / PASS_NS
IMA_OUT_BYTES_PER_NS = 256 / PASS_NS
TILE_BYTES_PER_NS = IMAS * (IMA_IN_BYTES_PER_NS + IMA_OUT_BYTES_PER_NS)

# Static power. Table I does not split it off. PUMA (Ankit et al., ASPLOS 2019) gives the same 64 KB eDRAM
# 17.2 pJ per 32 B access; what ISAAC's 20.7 mW holds beyond those accesses (every byte is written and read)
# is refresh and leakage, 10 %. The router, the other part that cannot be gated between operators, is
# taken to have the same share (engineering value). Converters, registers and buses are gated when idle.
EDRAM_MW = 20.7
EDRAM_STATIC_MW = EDRAM_MW - 17.2 / 32 * 2 * TILE_BYTES_PER_NS
ROUTER_MW = 42 / 4  # one router serves 4 tiles
ROUTER_STATIC_MW = ROUTER_MW * EDRAM_STATIC_MW / EDRAM_MW

# One S+A unit merges the conversions of two ADCs (4 in an IMA draw 0.2 mW and take 240 um2, Table I).
SHIFT_ADD_UNITS = 4
SHIFT_ADD_OPS_PER_NS = CROSSBARS * ADC_SAMPLES_PER_NS / SHIFT_ADD_UNITS

# Two sigmoid units serve the outputs of a tile: 128 of each IMA in 1600 ns.
OUTPUTS_PER_NS = IMAS * 128 / PASS_NS
SIGMOID = Part(component="digital", power_mw=0.52, area_um2=600, events_per_ns=OUTPUTS_PER_NS)

# Digital arithmetic. MAC: 0.23 / 0.72 / 2.60 pJ at 4 / 8 / 16 bits, 404 um2 at 8 bits, 32 nm (Aladdin's data
# scaled by hwcomponents). Adder and multiplier: Horowitz, ISSCC 2014, 45 nm integers at 8 and 32 bits:
# 0.03 and 0.1 pJ, 36 and 137 um2; 0.2 and 3.1 pJ, 282 and 3495 um2. The two sources differ fivefold for a
# multiplication; each is used for what it measured. 64 lanes at 1 GHz are an engineering value: an 8-bit MAC
# array then takes the area of two IMAs. Overhead: read, compute, write, one clock each.
BITS = range(1, 17)
ENERGY_45_TO_32 = 0.66
AREA_45_TO_32 = 0.46


def _by_width(at_8: float, at_other: float, other_bits: int) -> tuple[float, ...]:
    """1 to 16 bits: the power of the width that meets both values."""
    exponent = log2(at_other / at_8) / log2(other_bits / 8)
    return tuple(at_8 * (bits / 8) ** exponent for bits in BITS)


DIGITAL = Digital(
    n_lanes=64,
    clock_ns=1.0,
    overhead_clocks=3,
    mac_energy_pj=_by_width(0.72, 0.23, 4)[:8] + _by_width(0.72, 2.60, 16)[8:],
    mac_area_um2=_by_width(404, 404 * 3495 / 282, 32),  # grows as Horowitz's multiplier
    add_energy_pj=_by_width(0.03 * ENERGY_45_TO_32, 0.1 * ENERGY_45_TO_32, 32),
    add_area_um2=_by_width(36 * AREA_45_TO_32, 137 * AREA_45_TO_32, 32),
    multiply_energy_pj=_by_width(0.2 * ENERGY_45_TO_32, 3.1 * ENERGY_45_TO_32, 32),
    multiply_area_um2=_by_width(282 * AREA_45_TO_32, 3495 * AREA_45_TO_32, 32),
    table_energy_pj=SIGMOID.energy_pj,
    table_area_um2=SIGMOID.area_um2 / SIGMOID.events_per_ns,  # one element per ns
)

ADC_ENERGY_PJ = tuple(_adc_energy_pj(bits) for bits in range(1, 13))
# Table I: 8 crossbars draw 2.4 mW and take 0.0002 mm2; PUMA scales both with the number of cells.
CELL_READ_PJ = 2.4 / CROSSBARS * CYCLE_NS / SIZE**2

# Jain et al., ISSCC 2019: a 22 nm ReRAM macro of 10.1 Mb/mm2, 1 bit per cell, 5 ns sensing; area times
# (32/22)^2. ISAAC's bare crossbar cell is 140 times smaller but has no periphery to address millions of rows.
TABLE_MEMORY = TableMemory(
    cell_area_um2=1 / 10.1 * (32 / 22) ** 2,
    sense_ns=5.0,
    sense_energy_pj=tuple(ADC_ENERGY_PJ[bits - 1] + CELL_READ_PJ for bits in range(1, 5)),
)

ISAAC32 = IsaacCalibration(
    name="isaac32",
    node_nm=32,
    source="ISAAC-CE, 32 nm: Shafiee et al., ISCA 2016, Table I, doi:10.1109/ISCA.2016.12",
    adc_energy_pj=ADC_ENERGY_PJ,
    adc_area_um2=tuple(_adc_area_um2(bits) for bits in range(1, 13)),
    # A SAR ADC decides a bit per clock: so count ZigZag-IMC, NeuroSim, MNSIM and PUMA.
    adc_samples_per_ns=tuple(ADC_SAMPLES_PER_NS * 8 / bits for bits in range(1, 13)),
    dac_energy_pj=tuple(DAC_1BIT_PJ * 2 ** (bits - 1) for bits in range(1, 9)),
    dac_area_um2=tuple(DAC_1BIT_UM2 * 2 ** (bits - 1) for bits in range(1, 9)),
    cell_read_energy_pj=CELL_READ_PJ,
    cell_area_um2=200 / CROSSBARS / SIZE**2,
    # PUMA and ZigZag-IMC: read time linear in wordlines; 100 ns at 128 (Table I).
    read_ns_per_wordline=CYCLE_NS / SIZE,
    cell_write_energy_pj=3.0**2 / WRITE_OHM * 10 * 1e3,  # V^2/ohm is W; W ns is nJ
    row_write_ns=10.0,
    cell_endurance_writes=1e10,  # HfOx cells: Lee et al., IEDM 2010
    edram_bytes=64 * 1024,
    # Table I: 8 x 128 sample-and-hold circuits draw 10 uW and take 0.00004 mm2.
    sample_energy_pj=0.01 / (CROSSBARS * SIZE) * CYCLE_NS,
    sample_hold_area_um2=40 / (CROSSBARS * SIZE),
    shift_add_energy_pj=0.2 / SHIFT_ADD_UNITS / SHIFT_ADD_OPS_PER_NS,
    shift_add_area_um2=240 / CROSSBARS,
    reference_crossbar_size=SIZE,
    crossbars_per_ima=CROSSBARS,
    imas_per_tile=IMAS,
    tiles_per_chip=168,
    ima_parts={
        "input_register": Part(component="buffer", power_mw=1.24, area_um2=2100, events_per_ns=IMA_IN_BYTES_PER_NS),
        "output_register": Part(component="buffer", power_mw=0.23, area_um2=770, events_per_ns=IMA_OUT_BYTES_PER_NS),
    },
    tile_parts={
        "edram": Part(  # every byte is written and read
            component="buffer",
            power_mw=EDRAM_MW,
            area_um2=83_000,
            events_per_ns=2 * TILE_BYTES_PER_NS,
            static_mw=EDRAM_STATIC_MW,
        ),
        "bus": Part(component="interconnect", power_mw=7, area_um2=90_000, events_per_ns=TILE_BYTES_PER_NS),
        "router": Part(
            component="interconnect",
            power_mw=ROUTER_MW,
            area_um2=151_000 / 4,
            events_per_ns=TILE_BYTES_PER_NS,
            static_mw=ROUTER_STATIC_MW,
        ),
        "sigmoid": SIGMOID,
        "shift_add": Part(component="shift_add", power_mw=0.05, area_um2=60, events_per_ns=SHIFT_ADD_OPS_PER_NS),
        "max_pool": Part(component="digital", power_mw=0.4, area_um2=240, events_per_ns=OUTPUTS_PER_NS),
        "output_register": Part(
            component="buffer", power_mw=1.68, area_um2=3200, events_per_ns=IMAS * IMA_OUT_BYTES_PER_NS
        ),
    },
    chip_parts={
        # 4 HyperTransport links of 6.4 GB/s between chips.
        "hypertransport": Part(component="interconnect", power_mw=10_400, area_um2=22.88e6, events_per_ns=4 * 6.4)
    },
    pipeline_overhead_cycles=6,  # a tile operation takes 22 cycles, 16 of them for the input bits
    digital=DIGITAL,
    drams={
        # Energies: CACTI's I/O tables as hwcomponents holds them. Controller and queueing left out.
        # LPDDR4-3200, one x16 channel (JEDEC JESD209-4): tRCD 18 ns + read latency 28 clocks; 64 B take
        # 10 ns at 6.4 GB/s, which tFAW (40 ns for 4 rows) also allows at random addresses. 16 Gb, its largest channel.
        "lpddr4": Dram(energy_pj_per_bit=8, burst_bytes=64, access_ns=18 + 17.5, burst_ns=10, capacity_bytes=2 * 2**30),
        # HBM2 at 2 Gb/s (gem5's HBM_2000_4H_1x64): tRCD 12 ns + tCL 18 ns; 64 B or one new row every 4 ns in
        # each of 16 pseudo-channels. 8 GB: a stack of eight 8 Gb dies (JEDEC JESD235B).
        "hbm2": Dram(
            energy_pj_per_bit=6.25, burst_bytes=64, access_ns=12 + 18, burst_ns=4 / 16, capacity_bytes=8 * 2**30
        ),
    },
    table_memory=TABLE_MEMORY,
)
