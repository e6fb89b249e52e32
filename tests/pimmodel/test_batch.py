from __future__ import annotations

import tracemalloc
from dataclasses import fields

import numpy as np
import pytest

from pimmodel import ISAAC, Breakdown, Estimate, Kind, Operator, PimConfig, Workload, breakdown, estimate
from pimmodel import batch as batch_module
from pimmodel.batch import chunks, n_designs
from pimmodel.calibrations import CALIBRATIONS
from pimmodel.calibrations.isaac32 import ISAAC32

N_OPERATORS = 12


def random_networks(n_designs: int, rng: np.random.Generator) -> Workload:
    """Over one list of 12 operators, all kinds among them; each leaves some out."""
    kinds = rng.permutation(np.array([*Kind] * 3))
    shape = (n_designs, N_OPERATORS)
    producers = rng.integers(0, N_OPERATORS - 1, 20)
    return Workload(
        names=tuple(f"operator_{i}" for i in range(N_OPERATORS)),
        kinds=tuple(Kind(kind) for kind in kinds),
        functions=tuple("softmax" if kind == Kind.ELEMENTWISE else "" for kind in kinds),
        in_features=rng.integers(1, 1000, shape),
        out_features=rng.integers(1, 1000, shape),
        n_vectors=rng.integers(0, 20, shape),
        weight_bits=rng.integers(1, 9, shape),
        edges=np.stack([producers, rng.integers(producers + 1, N_OPERATORS)], axis=1),
        is_active_edge=rng.random((n_designs, 20)) < 0.7,
    )


def random_chips(n_designs: int, rng: np.random.Generator) -> PimConfig:
    sizes = rng.choice([32, 64, 128, 256], n_designs)
    return PimConfig(
        crossbar_size=sizes,
        cell_bits=rng.integers(1, 5, n_designs),
        dac_bits=rng.integers(1, 9, n_designs),
        adc_bits=rng.integers(1, 13, n_designs),
        columns_per_adc=rng.integers(1, sizes + 1),
        n_active_wordlines=rng.integers(1, sizes + 1),
        activation_bits=rng.integers(1, 17, n_designs),
        weight_encoding=rng.choice(["isaac", "differential"], n_designs),
        product_unit=rng.choice(["digital", "crossbar"], n_designs),
        n_copies=rng.integers(1, 5, n_designs),
        execution=rng.choice(["pipelined", "layer-by-layer"], n_designs),
        table_memory=rng.choice(["reram", "lpddr4", "hbm2"], n_designs),
    )


def figures(result: Estimate | Breakdown) -> dict[str, np.ndarray]:
    """All arrays that have a row per design."""
    values = {field.name: getattr(result, field.name) for field in fields(result)}
    return {name: value for name, value in values.items() if isinstance(value, np.ndarray)}


@pytest.mark.parametrize("calibration", CALIBRATIONS)
@pytest.mark.parametrize("seed", range(2))
def test_batch_equals_loop(calibration: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    networks, chips = random_networks(30, rng), random_chips(30, rng)
    for function in (estimate, breakdown):
        batch = figures(function(networks, chips, calibration))
        singles = [
            figures(function(networks.take(index), chips.take(index), calibration)) for index in range(len(networks))
        ]
        for name, values in batch.items():
            expected = np.concatenate([single[name] for single in singles])
            assert values == pytest.approx(expected, rel=1e-12), name


@pytest.mark.parametrize("calibration", CALIBRATIONS)
@pytest.mark.parametrize(("n_networks", "n_chips"), [(1, 30), (30, 1)])
def test_one_of_a_kind_holds_for_all(calibration: str, n_networks: int, n_chips: int) -> None:
    rng = np.random.default_rng(n_networks)
    networks, chips = random_networks(n_networks, rng), random_chips(n_chips, rng)
    everywhere = np.zeros(30, dtype=np.int64)
    repeated = networks.take(everywhere) if n_networks == 1 else networks
    chosen = chips.take(everywhere) if n_chips == 1 else chips
    for function in (estimate, breakdown):
        short, long = (figures(function(*batch, calibration)) for batch in ((networks, chips), (repeated, chosen)))
        for name, values in long.items():
            assert np.array_equal(short[name], values), name


@pytest.mark.parametrize("calibration", CALIBRATIONS)
@pytest.mark.parametrize("n_rows", [1, 7, 19])
def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch, calibration: str, n_rows: int) -> None:
    rng = np.random.default_rng(n_rows)
    for n_networks, n_chips in ((20, 20), (1, 20), (20, 1)):
        networks, chips = random_networks(n_networks, rng), random_chips(n_chips, rng)
        whole = [figures(function(networks, chips, calibration)) for function in (estimate, breakdown)]
        with monkeypatch.context() as patch:
            n_present = np.count_nonzero(networks.n_vectors) // len(networks)
            patch.setattr(batch_module, "_CHUNK_OPERATORS", n_rows * n_present)
            starts = [chunk.rows.start for chunk in chunks(networks, chips, ISAAC32)]
            assert starts == list(range(0, 20, n_rows))
            parts = [figures(function(networks, chips, calibration)) for function in (estimate, breakdown)]
        for before, after in zip(whole, parts, strict=True):
            for name, values in before.items():
                assert np.array_equal(after[name], values), name


def test_a_batch_beyond_one_chunk() -> None:
    rng = np.random.default_rng(0)
    networks, chips = random_networks(23_000, rng), random_chips(23_000, rng)  # up to 276,000 operators
    starts = [chunk.rows.start for chunk in chunks(networks, chips, ISAAC32)]
    assert len(starts) >= 2
    assert starts == list(range(0, 23_000, starts[1]))
    whole = figures(estimate(networks, chips))
    picked = np.array([0, starts[1] - 1, starts[1], starts[1] + 1, starts[-1] - 1, starts[-1], 22_999])
    part = figures(estimate(networks.take(picked), chips.take(picked)))
    for name, values in part.items():
        assert np.array_equal(whole[name][picked], values), name


def test_every_present_operator_is_in_one_group() -> None:
    rng = np.random.default_rng(1)
    networks, chips = random_networks(50, rng), random_chips(50, rng)
    (chunk,) = chunks(networks, chips, ISAAC32)
    n_entries = np.zeros((50, N_OPERATORS), dtype=np.int64)
    for group in chunk.groups:
        rows, positions = group.operators.design, group.position
        np.add.at(n_entries, (rows, positions), 1)
        assert {networks.kinds[position] for position in positions} <= {group.kind}
        for name in ("in_features", "out_features", "n_vectors", "weight_bits"):
            assert np.array_equal(getattr(group.operators, name), getattr(networks, name)[rows, positions])
        if group.kind is Kind.PRODUCT:
            assert set(np.asarray(chips.product_unit)[rows]) <= {"crossbar" if group.is_written else "digital"}
    assert np.array_equal(n_entries, (networks.n_vectors > 0).astype(np.int64))


def test_lengths_must_meet() -> None:
    network = Workload.from_operators([Operator(name="fc", kind=Kind.MVM, in_features=1, out_features=1)])
    assert n_designs(network.take([0, 0]), ISAAC) == 2
    assert n_designs(network, PimConfig(adc_bits=np.array([4, 6, 8]))) == 3
    with pytest.raises(ValueError, match="one of them length 1, got 2 networks and 3 configurations"):
        n_designs(network.take([0, 0]), PimConfig(adc_bits=np.array([4, 6, 8])))


def peak_bytes(network: Workload, chips: PimConfig) -> int:
    """The most that one estimate takes beside its arguments, its result included."""
    tracemalloc.start()
    estimate(network, chips, by_operator=False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_a_million_designs_take_a_third_of_a_gigabyte() -> None:
    # what another design adds, chunks filled in both batches; a result of 9 figures and 2 x 10 components is 232 B
    network = random_networks(1, np.random.default_rng(2))
    small, large = (peak_bytes(network, PimConfig(adc_bits=np.resize(np.arange(4, 11), n))) for n in (40_000, 120_000))
    assert (large - small) / 80_000 < 330
    assert small < 60e6  # one chunk and 40,000 results
