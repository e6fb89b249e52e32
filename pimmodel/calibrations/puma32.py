"""puma32: a PUMA node at 32 nm and 1 GHz.

PUMA is Ankit et al., ASPLOS 2019, doi:10.1145/3297858.3304049; power and area of its parts are the constants
of the authors' simulator (github.com/Aayush-Ankit/puma-simulator, include/constants.py) unless said otherwise.
Summed they are the paper's MVMU (43.97 nJ in 2304 ns), core, tile and node within 1.5 %.
A node has 138 tiles of 8 cores of 2 matrix-vector multiplication units (MVMU). An MVMU is 8 crossbars of
128 x 128 2-bit cells, each with an ADC: 16-bit weights in slices. A core takes the place of ISAAC's IMA.

An MVMU works in steps of 128 cycles, one per input bit: a crossbar read takes a cycle per wordline, an ADC converts a
bitline per cycle. Two more steps fill and drain its pipeline. In this model the next vector may follow without them,
where PUMA's instructions take 18 steps each: 11 % less energy and time per vector. The 128 DACs of an MVMU drive the
wordlines of all its crossbars: each is charged an eighth.

Left out: the energy of fetching and decoding instructions, one per 128 or more cycles; their memories draw
leakage alone. Table memories, DRAM, device and digital arithmetic are those of isaac32; PUMA's vector units stand
beside them in every tile and add partial sums.
"""

from __future__ import annotations

from dataclasses import replace
from math import sqrt

from pimmodel.calibrations.isaac32 import ISAAC32
from pimmodel.components import Part

SIZE = 128
STEP_NS = 128.0  # a clock of 1 GHz, a cycle per wordline or bitline
PASS_NS = 16 * STEP_NS  # 16-bit inputs, 1 bit per step
SLICES = 8  # crossbars of an MVMU
MVMUS = 2  # per core
CORES = 8  # per tile
TILES_PER_ROUTER = 4

# ADC: ISAAC's, 2 mW and 1200 um2 at 8 bits. ISAAC scales it (section VII) as Saberi et al., IEEE TCAS-I 2011: buffers,
# logic and clock with the bits, the capacitive DAC with 2^bits. hwcomponents-library gives 0.79, 0.99, 1.20, 1.42,
# 1.67, 1.97 and 2.38 pJ at 4 to 10 bits, which is 0.196 b + 0.0004 2^b; areas are those of isaac32.
ADC_8BIT_PJ = 2.0


def _adc_energy_pj(bits: int) -> float:
    def energy_pj(b: int) -> float:
        return 0.196 * b + 0.0004 * 2.0**b

    return ADC_8BIT_PJ * energy_pj(bits) / energy_pj(8)


# DAC, 1 bit: 3.5 uW and 0.39 uW of leakage, 0.167 um2. Wider: twice per bit, as in isaac32.
DAC_1BIT_PJ = (0.00350625 + 0.000390625) * STEP_NS / SLICES
DAC_1BIT_UM2 = 0.167 / SLICES

# Registers of an MVMU: a word of 16 bits written, or an output read, takes 0.16 pJ; one bit of all 128 inputs,
# 1.7 pJ. Every input is written once, every output written and read once. Power and bytes of a core at full use;
# the model counts the inputs of every crossbar.
REGISTER_LEAKAGE_MW = MVMUS * 0.04
INPUT_REGISTER_MW = MVMUS * (SIZE * 0.16 + 16 * 1.7) / PASS_NS + REGISTER_LEAKAGE_MW
OUTPUT_REGISTER_MW = MVMUS * SIZE * (0.16 + 0.16) / PASS_NS + REGISTER_LEAKAGE_MW
INPUT_BYTES_PER_NS = MVMUS * SLICES * SIZE * 2 / PASS_NS
OUTPUT_BYTES_PER_NS = MVMUS * SIZE * 2 / PASS_NS

WIDE = sqrt(8)  # the simulator's factor for memories of 8-byte entries, on all three values
LOGIC_45_TO_32 = 32 / 45

# One access of 256 bits per cycle. Every access to tile memory also checks the words' attributes.
ACCESS_BYTES = 32.0
EDRAM_LEAKAGE_MW, ATTRIBUTES_LEAKAGE_MW = 0.46, 0.33 * WIDE
EDRAM_MW = 17.2 + EDRAM_LEAKAGE_MW + 0.65 * WIDE + ATTRIBUTES_LEAKAGE_MW

PUMA32 = replace(
    ISAAC32,
    name="puma32",
    source="PUMA, 32 nm: Ankit et al., ASPLOS 2019, doi:10.1145/3297858.3304049; puma-simulator, constants.py",
    adc_energy_pj=tuple(_adc_energy_pj(bits) for bits in range(1, 13)),
    adc_samples_per_ns=tuple(8 / bits for bits in range(1, 13)),  # 1 per ns at 8 bits; a bit per clock
    dac_energy_pj=tuple(DAC_1BIT_PJ * 2 ** (bits - 1) for bits in range(1, 9)),
    dac_area_um2=tuple(DAC_1BIT_UM2 * 2 ** (bits - 1) for bits in range(1, 9)),
    cell_read_energy_pj=0.3 * STEP_NS / SIZE**2,
    cell_area_um2=25 / SIZE**2,
    read_ns_per_wordline=1.0,
    sample_energy_pj=9.7e-6 * STEP_NS,
    sample_hold_area_um2=40 / 8 / SIZE,
    # One unit of 0.05 mW and 60 um2 merges the conversions of an MVMU, one per ns and crossbar.
    shift_add_energy_pj=0.05 / SLICES,
    shift_add_area_um2=60 / SLICES,
    reference_crossbar_size=SIZE,
    crossbars_per_ima=MVMUS * SLICES,
    imas_per_tile=CORES,
    tiles_per_chip=138,
    edram_bytes=64 * 1024,
    ima_parts={
        "input_register": Part(
            component="buffer",
            power_mw=INPUT_REGISTER_MW,
            area_um2=MVMUS * 780,
            events_per_ns=INPUT_BYTES_PER_NS,
            static_mw=REGISTER_LEAKAGE_MW,
        ),
        "output_register": Part(
            component="buffer",
            power_mw=OUTPUT_REGISTER_MW,
            area_um2=MVMUS * 780,
            events_per_ns=OUTPUT_BYTES_PER_NS,
            static_mw=REGISTER_LEAKAGE_MW,
        ),
        # 1 KB; a word per cycle.
        "register_file": Part(
            component="buffer", power_mw=0.33 + 0.147, area_um2=1920, events_per_ns=2, static_mw=0.147
        ),
        # 4 KB of 8-byte instructions; one per cycle.
        "instruction_memory": Part(
            component="buffer",
            power_mw=(0.46 + 0.078) * WIDE,
            area_um2=1080 * WIDE,
            events_per_ns=8,
            static_mw=0.078 * WIDE,
        ),
        "control": Part(component="digital", power_mw=1.25 * 0.2, area_um2=1450 * 2.25, events_per_ns=1),
        # The scalar unit is in the paper's Table 3 only.
        "scalar_unit": Part(component="digital", power_mw=0.055, area_um2=600, events_per_ns=1),
    },
    tile_parts={
        "edram": Part(
            component="buffer",
            power_mw=EDRAM_MW,
            area_um2=86_000 + 4100 * WIDE,
            events_per_ns=ACCESS_BYTES,
            static_mw=EDRAM_LEAKAGE_MW + ATTRIBUTES_LEAKAGE_MW,
        ),
        "bus": Part(component="interconnect", power_mw=7, area_um2=90_000, events_per_ns=ACCESS_BYTES, static_mw=1),
        # A router of 4 ports serves 4 tiles, a flit of 32 bits per port and cycle at full use (engineering value).
        "router": Part(
            component="interconnect",
            power_mw=(16.13 + 0.41) / TILES_PER_ROUTER,
            area_um2=47_000 / TILES_PER_ROUTER,
            events_per_ns=4,
            static_mw=0.41 / TILES_PER_ROUTER,
        ),
        # What the router brings waits here: 16 FIFOs.
        "output_register": Part(
            component="buffer", power_mw=4.48 + 0.09, area_um2=4400, events_per_ns=ACCESS_BYTES, static_mw=0.09
        ),
        # The vector units of the cores, one element per cycle each, at the power of their costliest operation.
        "shift_add": Part(
            component="shift_add",
            power_mw=CORES * (2.4 + 0.27) * LOGIC_45_TO_32,
            area_um2=CORES * 5670 * LOGIC_45_TO_32,
            events_per_ns=CORES,
            static_mw=CORES * 0.27 * LOGIC_45_TO_32,
        ),
        # 8 KB of 8-byte instructions.
        "instruction_memory": Part(
            component="buffer",
            power_mw=(0.53 + 0.147) * WIDE,
            area_um2=1920 * WIDE,
            events_per_ns=8,
            static_mw=0.147 * WIDE,
        ),
        # The simulator's isca_results/puma_pe_sweep.py.
        "control": Part(component="digital", power_mw=0.25 * 2, area_um2=1450, events_per_ns=1),
    },
    pipeline_overhead_cycles=2,
)
