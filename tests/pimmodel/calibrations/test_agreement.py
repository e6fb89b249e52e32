"""Do calibrations rank designs alike? Fully connected chains on chips of all kinds, as simulators are compared."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import spearmanr

from pimmodel import Estimate, Kind, PimConfig, Workload, estimate

N_DESIGNS = 2000


def chains(rng: np.random.Generator) -> Workload:
    """2 to 4 layers, 13 to 1024 wide."""
    n_layers, n_slots = rng.integers(2, 5, N_DESIGNS), 4
    widths = rng.choice([13, 26, 33, 64, 128, 130, 256, 257, 512, 768, 1024], (N_DESIGNS, n_slots + 1))
    return Workload(
        names=tuple(f"fc{slot}" for slot in range(n_slots)),
        kinds=(Kind.MVM,) * n_slots,
        functions=("",) * n_slots,
        in_features=widths[:, :-1],
        out_features=widths[:, 1:],
        n_vectors=(np.arange(n_slots) < n_layers[:, None]).astype(np.int64),
        weight_bits=np.repeat(rng.choice([4, 8], (N_DESIGNS, 1)), n_slots, axis=1),
        edges=np.array([[slot, slot + 1] for slot in range(n_slots - 1)]),
        is_active_edge=np.ones((N_DESIGNS, n_slots - 1), dtype=np.bool_),
    )


def chips(rng: np.random.Generator) -> PimConfig:
    size = rng.choice([32, 64, 128, 256], N_DESIGNS)
    return PimConfig(
        crossbar_size=size,
        cell_bits=rng.choice([1, 2, 4], N_DESIGNS),
        dac_bits=rng.choice([1, 2], N_DESIGNS),
        adc_bits=rng.choice([4, 6, 8, 10], N_DESIGNS),
        columns_per_adc=rng.choice([4, 8, 16, 32], N_DESIGNS),
        n_active_wordlines=size,
        activation_bits=rng.choice([4, 8], N_DESIGNS),
    )


@pytest.fixture(scope="module")
def results() -> dict[str, Estimate]:
    rng = np.random.default_rng(0)
    workload, config = chains(rng), chips(rng)
    return {name: estimate(workload, config, name) for name in ("isaac32", "puma32", "mnsim", "neurosim22")}


def correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    return float(spearmanr(first, second).statistic)


# MNSIM's area is mostly wordline drivers of whole tiles, ISAAC's mostly ADCs: .84 here, .86 to .94 on narrower samples.
@pytest.mark.parametrize(("simulator", "area"), [("mnsim", 0.82), ("neurosim22", 0.85)])
@pytest.mark.parametrize("chip", ["isaac32", "puma32"])
def test_chips_rank_designs_as_simulators_do(
    results: dict[str, Estimate], chip: str, simulator: str, area: float
) -> None:
    assert correlation(results[chip].energy_pj, results[simulator].energy_pj) > 0.9
    assert correlation(results[chip].area_mm2, results[simulator].area_mm2) > area


def test_simulators_rank_alike_and_differ_a_hundredfold(results: dict[str, Estimate]) -> None:
    # Runs of both on the same networks: Spearman .94 energy, .90 area, .67 latency; energies 109 times apart in the
    # median, 40 to 303. Latency depends most on the designs compared: .45 to .75 over samples like this one.
    mnsim, neurosim = results["mnsim"], results["neurosim22"]
    assert correlation(mnsim.energy_pj, neurosim.energy_pj) > 0.9
    assert correlation(mnsim.area_mm2, neurosim.area_mm2) > 0.85
    assert correlation(mnsim.latency_ns, neurosim.latency_ns) > 0.45
    assert 40 < np.median(mnsim.energy_pj / neurosim.energy_pj) < 303
