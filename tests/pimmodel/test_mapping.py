from __future__ import annotations

import numpy as np
import pytest

from pimmodel import CALIBRATIONS, PimConfig
from pimmodel.mapping import CrossbarWork, Shapes, crossbar_work


def work(
    in_features: int,
    out_features: int,
    config: PimConfig,
    *,
    n_vectors: int = 1,
    weight_bits: int = 8,
    n_copies: int = 1,
) -> CrossbarWork:
    def one(number: int) -> np.ndarray:
        return np.full((1, 1), float(number))

    shapes = Shapes(
        in_features=one(in_features),
        out_features=one(out_features),
        n_vectors=one(n_vectors),
        weight_bits=one(weight_bits),
    )
    return crossbar_work(shapes, one(n_copies), config, CALIBRATIONS["isaac32"])


@pytest.mark.parametrize(
    ("in_features", "expected_crossbars", "expected_conversions"),
    [
        # ISAAC: a 16-bit weight is 8 cells; 128 x 128 weights fill the 8 crossbars of an IMA, and each of
        # 8 input cycles converts 1024 bitlines
        pytest.param(128, 8, 8 * 1024, id="one-IMA"),
        pytest.param(129, 16, 8 * 2048, id="second-row-of-tiles"),
        pytest.param(256, 16, 8 * 2048, id="second-row-of-tiles-full"),
        pytest.param(1, 8, 8 * 1024, id="one-wordline-converts-as-many"),
    ],
)
def test_tiles_and_conversions(in_features: int, expected_crossbars: int, expected_conversions: int) -> None:
    counts = work(in_features, 128, PimConfig(), weight_bits=16)
    assert counts.n_crossbars.item() == expected_crossbars
    assert counts.n_conversions.item() == expected_conversions


def test_counts_by_hand() -> None:
    # 200 x 10 weights of 5 bits in 2-bit cells: 3 slices, 30 bitlines; 64 x 64 crossbars: 4 x 1 tiles, the
    # last of 8 wordlines. Groups of 24: 3 + 3 + 3 + 1. 6-bit inputs by 4-bit DACs: 2 cycles.
    config = PimConfig(crossbar_size=64, columns_per_adc=16, n_active_wordlines=24, activation_bits=6, dac_bits=4)
    counts = work(200, 10, config, n_vectors=5, weight_bits=5, n_copies=2)
    assert counts.n_crossbars.item() == 4 * 2
    assert counts.n_cells.item() == 200 * 30
    assert counts.n_used_cells.item() == 200 * 30 * 2
    assert counts.n_conversions.item() == 5 * 2 * 10 * 30
    assert counts.n_wordline_drives.item() == 5 * 2 * 200
    assert counts.n_cell_reads.item() == 5 * 2 * 200 * 30
    assert counts.n_partial_sums.item() == 5 * 4 * 10
    assert counts.n_merges.item() == 5 * 3 * 10
    assert counts.n_input_loads.item() == 5 * 200
    assert counts.n_cycles.item() == 3 * 2 * 3  # vectors per copy, input cycles, groups
    # 30 bitlines over 4 ADCs: 8 in turn at 1.28 GS/s take 6.25 ns; 24 wordlines take 18.75 ns
    assert counts.cycle_ns.item() == pytest.approx(18.75)
    assert counts.n_rows_written.item() == 64


@pytest.mark.parametrize(
    ("config", "expected_ns"),
    [
        pytest.param(PimConfig(), 100, id="ISAAC-read-and-conversions-alike"),
        pytest.param(PimConfig(columns_per_adc=8), 100, id="more-ADCs-leave-the-read"),
        pytest.param(PimConfig(n_active_wordlines=16), 100, id="fewer-wordlines-leave-the-conversions"),
        pytest.param(PimConfig(n_active_wordlines=16, columns_per_adc=8), 12.5, id="both"),
        pytest.param(
            PimConfig(crossbar_size=256, columns_per_adc=256, n_active_wordlines=256), 200, id="twice-as-large"
        ),
    ],
)
def test_cycle_time(config: PimConfig, expected_ns: float) -> None:
    assert work(256, 256, config).cycle_ns.item() == pytest.approx(expected_ns)


def test_unused_columns_are_not_converted() -> None:
    # 4 outputs of 4 slices: 16 of the 128 columns take 12.5 ns; 128 wordlines still take 100 ns
    counts = work(16, 4, PimConfig())
    assert counts.n_conversions.item() == 8 * 16
    assert counts.cycle_ns.item() == pytest.approx(12.5)


def test_absent_products_take_nothing() -> None:
    counts = work(128, 128, PimConfig(), n_vectors=0, n_copies=0)
    for name in ("n_crossbars", "n_used_cells", "n_conversions", "n_wordline_drives", "n_cycles", "n_merges"):
        assert getattr(counts, name).item() == 0
