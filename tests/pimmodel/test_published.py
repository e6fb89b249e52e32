"""Figures that publications state of whole chips, against what the model makes of counts and costs.

ISAAC's IMA, tile and chip totals are in test_chip.py. Left out, because the model does not give them:
- PUMA's peak of 52.31 TOPS/s (577 GOPS/s/mm2, 837 GOPS/s/W): an MVM every 1383 ns where the same paper's takes 2304.
- ISAAC's 1707 GOPS/s/mm2 of a bare array: sixty times below its own table.
- ISAAC's finding that 2-bit cells and 1-bit DACs have the best peak per area: here 4-bit cells or 2-bit DACs with
  the 10-bit ADCs they need have a fifth more.
- The gain of 50 % in peak per area by ISAAC's encoding: here 26 %.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pytest

from pimmodel import (
    Estimate,
    IsaacCalibration,
    Kind,
    Operator,
    PimConfig,
    Workload,
    chip_area_mm2,
    chip_power_mw,
    estimate,
    ima_area_mm2,
    ima_power_mw,
    peak_ops_per_s,
    tile_area_mm2,
    tile_power_mw,
)
from pimmodel.calibrations.isaac32 import ISAAC32
from pimmodel.calibrations.puma32 import PUMA32

ISAAC_SOURCE = "ISAAC, Shafiee et al., ISCA 2016, doi:10.1109/ISCA.2016.12, "
PUMA_SOURCE = "PUMA, Ankit et al., ASPLOS 2019, doi:10.1145/3297858.3304049, "
SAR_SOURCE = ISAAC_SOURCE + "sec. VII, scaled after Saberi et al. 2011 in hwcomponents-library's isaac.py"

CHIP = PimConfig(activation_bits=16)  # both chips: 128 x 128, 2-bit cells, 1-bit DACs, 8-bit ADCs, 16-bit operands
TILE_PARTS = ISAAC32.tile_parts
CORE_ONLY = ("register_file", "instruction_memory", "control", "scalar_unit")


def mvms(
    in_features: int,
    out_features: int,
    calibration: IsaacCalibration = ISAAC32,
    n_operators: int = 1,
    config: PimConfig = CHIP,
) -> Estimate:
    """n_operators equal products of 16-bit weights with one vector each, side by side."""
    operators = [
        Operator(name=f"fc{index}", kind=Kind.MVM, in_features=in_features, out_features=out_features, weight_bits=16)
        for index in range(n_operators)
    ]
    return estimate(Workload.from_operators(operators), config, calibration)


def mib_of_weights(chip: Estimate, n_crossbars: int) -> float:
    """Storage of a chip whose every cell holds a weight slice."""
    assert chip.n_crossbars.item() == n_crossbars
    assert chip.cell_utilisation.item() == 1
    return n_crossbars * chip.cell_utilisation.item() * 128 * 128 * 2 / 8 / 2**20


def share(table: Estimate, component: str) -> float:
    """Share of a component in the area."""
    return float(table.area_by_component_mm2[0, table.components.index(component)] / table.area_mm2[0])


def adc_mw(chip: Estimate) -> float:
    return float(chip.energy_by_component_pj[0, chip.components.index("adc")] / chip.period_ns[0])


def adc_pj(bits: int, calibration: IsaacCalibration) -> float:
    """Energy of one conversion: 128 x 8 bitlines in 16 cycles take 16384."""
    chip = mvms(128, 128, calibration, config=PimConfig(activation_bits=16, adc_bits=bits))
    return float(chip.energy_by_component_pj[0, chip.components.index("adc")] / (128 * 8 * 16))


def adc_um2(bits: int, calibration: IsaacCalibration) -> float:
    """Area of one of the 8 converters."""
    chip = mvms(128, 128, calibration, config=PimConfig(activation_bits=16, adc_bits=bits))
    return float(chip.area_by_component_mm2[0, chip.components.index("adc")] * 1e6 / 8)


def gbyte_per_s(table_memory: str) -> float:
    """Rows of one burst, one after the other, at random addresses."""
    rows = Operator(name="lookup", kind=Kind.LOOKUP, in_features=10**6, out_features=64, n_vectors=1000)
    looked_up = estimate(Workload.from_operators([rows]), PimConfig(table_memory=table_memory))
    return 1000 * 64 / looked_up.period_ns.item()


def mvmu(of_core: float, core_only: float) -> float:
    """One of the two MVMUs of a core: the core without what serves both."""
    return (of_core - core_only) / 2


VECTOR_UNIT = PUMA32.tile_parts["shift_add"]  # of all 8 cores
ROUTER = PUMA32.tile_parts["router"]  # Table 3 counts it to the node


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A published figure and the model's; `tolerance` is relative."""

    name: str
    source: str
    figure: float
    tolerance: float
    model: Callable[[], float]


FIGURES = [
    Published(
        name="isaac-gops-per-mm2",
        source=ISAAC_SOURCE + "Table IV, CE",
        figure=478.95,
        tolerance=0.01,
        model=lambda: peak_ops_per_s(CHIP) / 1e9 / chip_area_mm2(CHIP),
    ),
    Published(
        name="isaac-gops-per-w",
        source=ISAAC_SOURCE + "Table IV, PE",
        figure=627.5,
        tolerance=0.005,
        model=lambda: peak_ops_per_s(CHIP) / 1e6 / chip_power_mw(CHIP),
    ),
    Published(
        name="isaac-mb-per-mm2",
        source=ISAAC_SOURCE + "Table IV, SE",
        figure=0.74,
        tolerance=0.01,
        # 126 row tiles x 128 column tiles are the 168 x 12 x 8 crossbars of the chip
        model=lambda: mib_of_weights(mvms(126 * 128, 16 * 128), 168 * 12 * 8) / chip_area_mm2(CHIP),
    ),
    Published(
        name="isaac-168-tiles-mm2",
        source=ISAAC_SOURCE + "Table I",
        figure=62.5,
        tolerance=0.005,
        model=lambda: mvms(126 * 128, 16 * 128).area_mm2.item(),
    ),
    Published(
        name="isaac-168-tiles-mw",
        source=ISAAC_SOURCE + "Table I",
        figure=55_400,
        # One network of 168 products that fill a tile, every crossbar with inputs of its own. What falls short is
        # traffic: who writes these inputs into the buffer is not part of it, and few outputs leave.
        tolerance=0.08,
        model=lambda: mvms(96 * 128, 16, n_operators=168).power_mw.item(),
    ),
    Published(
        name="isaac-adc-share-of-tile-power",
        source=ISAAC_SOURCE + "sec. VIII-A",
        figure=0.58,
        tolerance=0.01,
        model=lambda: adc_mw(mvms(96 * 128, 16)) / tile_power_mw(CHIP),
    ),
    Published(
        name="isaac-adc-share-of-chip-power",
        source="Xiao et al., Appl. Phys. Rev. 2020, of ISAAC",
        figure=0.49,
        tolerance=0.01,
        model=lambda: adc_mw(mvms(126 * 128, 16 * 128)) / chip_power_mw(CHIP),
    ),
    Published(
        name="isaac-adc-share-of-tile-area",
        source=ISAAC_SOURCE + "sec. VIII-A",
        figure=0.31,
        tolerance=0.01,
        model=lambda: share(mvms(96 * 128, 16), "adc"),
    ),
    Published(
        name="isaac-edram-and-bus-share-of-tile-area",
        source=ISAAC_SOURCE + "sec. VIII-A",
        figure=0.47,
        tolerance=0.02,
        model=lambda: (
            (TILE_PARTS["edram"].area_um2 + TILE_PARTS["bus"].area_um2) / 1e6 / mvms(96 * 128, 16).area_mm2.item()
        ),
    ),
    Published(
        name="isaac-tile-operation-ns",
        source=ISAAC_SOURCE + "Fig. 4b: 22 cycles of 100 ns",
        figure=2200,
        tolerance=0.001,
        model=lambda: mvms(128, 128).latency_ns.item(),
    ),
    *(
        Published(
            name=f"isaac-adc-{bits}-bits-pj",
            source=SAR_SOURCE,
            figure=figure,
            tolerance=0.1,  # 0.06 of it: 1.28 GS/s for their 1.2
            model=partial(adc_pj, bits, ISAAC32),
        )
        for bits, figure in ((4, 0.79), (5, 0.99), (6, 1.20), (7, 1.42), (8, 1.67), (9, 1.969))
    ),
    # The two laws below have two parameters each and were fitted to 4 to 10 bits: these guard the fit at its ends.
    *(
        Published(
            name=f"puma-adc-{bits}-bits-pj",
            source=SAR_SOURCE + ", at PUMA's 2 pJ for 8 bits",
            figure=figure / 1.67 * 2,
            tolerance=0.01,
            model=partial(adc_pj, bits, PUMA32),
        )
        for bits, figure in ((4, 0.79), (10, 2.379))
    ),
    *(
        Published(
            name=f"isaac-adc-{bits}-bits-um2",
            source=SAR_SOURCE,
            figure=figure,
            tolerance=0.01,
            model=partial(adc_um2, bits, ISAAC32),
        )
        for bits, figure in ((4, 361.0), (6, 626.9), (10, 3002.0))
    ),
    Published(
        name="puma-mvm-ns",
        source=PUMA_SOURCE + "sec. 7.4.3; (16 + 2) x 128 cycles in its simulator's wiki",
        figure=2304,
        tolerance=0.001,
        model=lambda: mvms(128, 16, PUMA32).latency_ns.item(),
    ),
    Published(
        name="puma-mvmu-mw",
        source=PUMA_SOURCE + "sec. 7.4.3: 43.97 nJ in 2304 ns",
        figure=43.97e3 / 2304,
        tolerance=0.005,
        model=lambda: mvmu(ima_power_mw(CHIP, PUMA32), sum(PUMA32.ima_parts[name].power_mw for name in CORE_ONLY)),
    ),
    Published(
        name="puma-weights-mb",
        source=PUMA_SOURCE + "about 69 MB in a node",
        figure=69,
        tolerance=0.005,
        # 138 row tiles x 128 column tiles are the 138 x 8 x 16 crossbars of a node
        model=lambda: mib_of_weights(mvms(138 * 128, 16 * 128, PUMA32), 138 * 8 * 16),
    ),
    # The rows of core and tile were not seen in print; with network and links they add up to the node's totals
    # within 0.1 %.
    Published(
        name="puma-core-mw",
        source=PUMA_SOURCE + "Table 3",
        figure=42.37,
        tolerance=0.005,
        model=lambda: ima_power_mw(CHIP, PUMA32) + VECTOR_UNIT.power_mw / 8,
    ),
    Published(
        name="puma-core-mm2",
        source=PUMA_SOURCE + "Table 3",
        figure=0.036,
        tolerance=0.01,
        model=lambda: ima_area_mm2(CHIP, PUMA32) + VECTOR_UNIT.area_um2 / 8e6,
    ),
    Published(
        name="puma-tile-mw",
        source=PUMA_SOURCE + "Table 3",
        figure=373.8,
        tolerance=0.005,
        model=lambda: tile_power_mw(CHIP, PUMA32) - ROUTER.power_mw,
    ),
    Published(
        name="puma-tile-mm2",
        source=PUMA_SOURCE + "Table 3",
        figure=0.479,
        tolerance=0.015,
        model=lambda: tile_area_mm2(CHIP, PUMA32) - ROUTER.area_um2 / 1e6,
    ),
    Published(
        name="puma-node-mw",
        source=PUMA_SOURCE + "Table 6",
        figure=62_500,
        tolerance=0.005,
        model=lambda: chip_power_mw(CHIP, PUMA32),
    ),
    Published(
        name="puma-node-mm2",
        source=PUMA_SOURCE + "Table 6",
        figure=90.6,
        tolerance=0.015,
        model=lambda: chip_area_mm2(CHIP, PUMA32),
    ),
    Published(
        name="hbm2-stack-gbyte-per-s",
        source="JEDEC JESD235A: 1024 bits at 2 Gb/s",
        figure=256,
        tolerance=0.001,
        model=lambda: gbyte_per_s("hbm2"),
    ),
    Published(
        name="lpddr4-3200-channel-gbyte-per-s",
        source="JEDEC JESD209-4: 16 bits at 3.2 Gb/s",
        figure=6.4,
        tolerance=0.001,
        model=lambda: gbyte_per_s("lpddr4"),
    ),
]


@pytest.mark.parametrize("published", FIGURES, ids=lambda published: published.name)
def test_a_published_figure_is_met(published: Published) -> None:
    computed = published.model()
    assert computed == pytest.approx(published.figure, rel=published.tolerance), published.source


def test_isaac_converts_once_per_16_bit_mac() -> None:
    # Sec. V: a weight takes 8 bitlines, an input 16 cycles, and 128 products share a conversion: 8 x 16 / 128
    chip = mvms(256, 512)
    n_conversions = chip.energy_by_component_pj[0, chip.components.index("adc")] / ISAAC32.adc_energy_pj[7]
    assert n_conversions == pytest.approx(chip.n_macs.item())


def per_mm2(config: PimConfig, calibration: IsaacCalibration) -> float:
    return peak_ops_per_s(config, calibration) / chip_area_mm2(config, calibration)


def per_mw(config: PimConfig, calibration: IsaacCalibration) -> float:
    return peak_ops_per_s(config, calibration) / chip_power_mw(config, calibration)


def test_an_adc_of_9_bits_is_not_worth_its_power_and_area() -> None:
    # ISAAC, sec. VIII-A; without the encoding of sec. V it would be needed, or half the wordlines
    for instead in (PimConfig(activation_bits=16, adc_bits=9), PimConfig(activation_bits=16, n_active_wordlines=64)):
        assert per_mm2(instead, ISAAC32) < per_mm2(CHIP, ISAAC32)
        assert per_mw(instead, ISAAC32) < per_mw(CHIP, ISAAC32)


def test_programmability_costs_puma_efficiency() -> None:
    # PUMA, sec. 7.4.2: 20.7 % less per W and 29.2 % less per mm2 than ISAAC, in its own way of counting
    # operations; here 9.9 % and 20.1 %. The direction and the order are met.
    loss_per_mw = 1 - per_mw(CHIP, PUMA32) / per_mw(CHIP, ISAAC32)
    loss_per_mm2 = 1 - per_mm2(CHIP, PUMA32) / per_mm2(CHIP, ISAAC32)
    assert loss_per_mm2 > loss_per_mw > 0
