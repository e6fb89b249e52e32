"""What holds for any network on any chip. MNSIM 2.0 and NeuroSim obey the same directions."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pimmodel import FUNCTIONS, Kind, Operator, PimConfig, Workload, energy_breakdown_pj, estimate

SLACK = 1 + 1e-12  # rounding

laws = settings(max_examples=60, deadline=None)


@st.composite
def networks(
    draw: st.DrawFn, max_operators: int = 6, n_vectors: st.SearchStrategy[int] | None = None
) -> list[Operator]:
    operators: list[Operator] = []
    for index in range(draw(st.integers(1, max_operators))):
        kind = draw(st.sampled_from(list(Kind)))
        names = [operator.name for operator in operators]
        operators.append(
            Operator(
                name=f"operator_{index}",
                kind=kind,
                in_features=draw(st.integers(1, 10**7 if kind is Kind.LOOKUP else 600)),
                out_features=draw(st.integers(1, 600)),
                n_vectors=draw(n_vectors if n_vectors is not None else st.integers(0, 40)),
                weight_bits=draw(st.integers(1, 15)),
                function=draw(st.sampled_from(list(FUNCTIONS))) if kind is Kind.ELEMENTWISE else "",
                inputs=tuple(draw(st.lists(st.sampled_from(names), unique=True, max_size=3))) if names else (),
            )
        )
    return operators


@st.composite
def chips(draw: st.DrawFn, **fixed: Any) -> PimConfig:
    crossbar_size = fixed.get("crossbar_size", draw(st.sampled_from([8, 32, 64, 128, 256, 1024])))
    values = {
        "crossbar_size": crossbar_size,
        "cell_bits": draw(st.integers(1, 4)),
        "dac_bits": draw(st.integers(1, 8)),
        "adc_bits": draw(st.integers(1, 12)),
        "columns_per_adc": draw(st.integers(1, crossbar_size)),
        "n_active_wordlines": draw(st.integers(1, crossbar_size)),
        "activation_bits": draw(st.integers(1, 16)),
        "product_unit": draw(st.sampled_from(["digital", "crossbar"])),
        "n_copies": draw(st.integers(1, 50)),
        "table_memory": draw(st.sampled_from(["reram", "lpddr4", "hbm2"])),
        "table_bits": draw(st.integers(1, 32)),
    }
    return PimConfig(**(values | fixed))


def varied(config: PimConfig, **changes: Any) -> PimConfig:
    values = {field.name: getattr(config, field.name) for field in fields(config)}
    return PimConfig(**(values | changes))


def is_rising(values: np.ndarray) -> bool:
    return bool(np.all(values[1:] * SLACK >= values[:-1]))


@laws
@given(operators=networks(), config=chips())
def test_energy_and_area_rise_with_adc_bits(operators: list[Operator], config: PimConfig) -> None:
    result = estimate(Workload.from_operators(operators), varied(config, adc_bits=np.arange(1, 13)))
    assert is_rising(result.energy_pj)
    assert is_rising(result.area_mm2)
    assert np.all(result.latency_ns == result.latency_ns[0])  # all conversions run at one rate


@laws
@given(operators=networks(), config=chips())
def test_costs_rise_with_activation_bits(operators: list[Operator], config: PimConfig) -> None:
    result = estimate(Workload.from_operators(operators), varied(config, activation_bits=np.arange(1, 17)))
    assert is_rising(result.energy_pj)
    assert is_rising(result.latency_ns)


@laws
@given(operators=networks(), config=chips())
def test_costs_rise_with_weight_bits(operators: list[Operator], config: PimConfig) -> None:
    wider = [replace(operator, weight_bits=operator.weight_bits + 1) for operator in operators]
    less, more = (estimate(Workload.from_operators(network), config) for network in (operators, wider))
    assert less.energy_pj <= more.energy_pj * SLACK
    assert less.latency_ns <= more.latency_ns * SLACK
    assert less.area_mm2 <= more.area_mm2 * SLACK


@laws
@given(operators=networks(), config=chips(), memory=st.sampled_from(["lpddr4", "hbm2"]))
def test_costs_fall_with_cell_bits(operators: list[Operator], config: PimConfig, memory: str) -> None:
    # premise: tables beside the chip; a table cell of more bits is sensed at a higher cost
    chip = varied(config, table_memory=memory, cell_bits=np.array([4, 3, 2, 1]))
    result = estimate(Workload.from_operators(operators), chip)
    assert is_rising(result.energy_pj)
    assert is_rising(result.latency_ns)
    assert is_rising(result.area_mm2)


@laws
@given(row_tiles=st.integers(1, 3), column_tiles=st.integers(1, 3), weight_bits=st.integers(1, 8), config=chips())
def test_energy_and_area_fall_with_crossbar_size(
    row_tiles: int, column_tiles: int, weight_bits: int, config: PimConfig
) -> None:
    # premise: layers that fill even the largest crossbars, as many wordlines driven together in all
    fc = Operator(
        name="fc",
        kind=Kind.MVM,
        in_features=512 * row_tiles,
        out_features=512 * column_tiles,
        weight_bits=weight_bits,
    )
    chip = varied(
        config,
        crossbar_size=np.array([512, 256, 128, 64, 32]),
        columns_per_adc=8,
        n_active_wordlines=32,
    )
    result = estimate(Workload.from_operators([fc]), chip)
    assert is_rising(result.energy_pj)
    assert is_rising(result.area_mm2)


@laws
@given(operators=networks(), config=chips(crossbar_size=64))
def test_sharing_an_adc_costs_time_and_saves_area(operators: list[Operator], config: PimConfig) -> None:
    chip = varied(config, columns_per_adc=np.arange(1, 65))
    result = estimate(Workload.from_operators(operators), chip)
    assert is_rising(result.latency_ns)
    assert is_rising(result.period_ns)
    assert is_rising(result.area_mm2[::-1])


@laws
@given(operators=networks(), config=chips())
def test_copies_never_slow_and_never_save_area(operators: list[Operator], config: PimConfig) -> None:
    result = estimate(Workload.from_operators(operators), varied(config, n_copies=np.arange(1, 45)))
    assert is_rising(result.latency_ns[::-1])
    assert is_rising(result.period_ns[::-1])
    assert is_rising(result.area_mm2)
    assert np.all(np.diff(result.latency_by_operator_ns, axis=0) <= 0)
    dynamic_pj = result.energy_pj - result.energy_by_component_pj[:, result.components.index("leakage")]
    assert dynamic_pj == pytest.approx(np.full(44, dynamic_pj[0]))


@laws
@given(operators=networks(n_vectors=st.integers(1, 20)), config=chips())
def test_dynamic_energy_of_weights_is_that_of_each_vector(operators: list[Operator], config: PimConfig) -> None:
    layers = [operator for operator in operators if operator.kind is Kind.MVM]
    assume(layers)
    doubled = [replace(layer, n_vectors=2 * layer.n_vectors, inputs=()) for layer in layers]
    single = [replace(layer, inputs=()) for layer in layers]
    one, two = (energy_breakdown_pj(Workload.from_operators(network), config) for network in (single, doubled))
    assert two[..., :-1] == pytest.approx(2 * one[..., :-1])  # all but leakage


@laws
@given(operators=networks(), config=chips(), position=st.integers(0, 6))
def test_an_absent_operator_costs_nothing(operators: list[Operator], config: PimConfig, position: int) -> None:
    absent = position % len(operators)
    without = [replace(op, n_vectors=0) if i == absent else op for i, op in enumerate(operators)]
    joined = [
        replace(op, kind=Kind.ELEMENTWISE, function="concat") if i == absent else op for i, op in enumerate(operators)
    ]
    left_out, passed = (estimate(Workload.from_operators(network), config) for network in (without, joined))
    assert left_out.energy_by_operator_pj[0, absent] == 0
    assert left_out.latency_by_operator_ns[0, absent] == 0
    assert left_out.area_by_operator_mm2[0, absent] == 0
    assert left_out.energy_pj == pytest.approx(passed.energy_pj)
    assert left_out.latency_ns == pytest.approx(passed.latency_ns)


@laws
@given(operators=networks(), config=chips())
def test_breakdowns_add_up(operators: list[Operator], config: PimConfig) -> None:
    workload = Workload.from_operators(operators)
    result = estimate(workload, config)
    breakdown = energy_breakdown_pj(workload, config)
    assert np.all(breakdown >= 0)
    assert breakdown.sum(axis=1) == pytest.approx(result.energy_by_component_pj)
    assert breakdown.sum(axis=2) == pytest.approx(result.energy_by_operator_pj)
    assert result.energy_by_component_pj.sum(axis=1) == pytest.approx(result.energy_pj)
    assert result.energy_by_operator_pj.sum(axis=1) == pytest.approx(result.energy_pj)
    assert result.area_by_component_mm2.sum(axis=1) == pytest.approx(result.area_mm2)
    assert result.area_by_operator_mm2.sum(axis=1) == pytest.approx(result.area_mm2)
    assert 0 <= result.cell_utilisation.item() <= 1
    assert result.latency_ns <= result.latency_by_operator_ns.sum() * SLACK
    assert result.period_ns <= result.latency_ns * SLACK


def random_batch(n_designs: int, seed: int) -> tuple[Workload, PimConfig]:
    """Networks over one list of 12 operators, each on a chip of its own."""
    rng = np.random.default_rng(seed)
    kinds = tuple(rng.choice(list(Kind), 12).tolist())
    shape = (n_designs, len(kinds))
    producers = rng.integers(0, 11, 20)
    sizes = rng.choice([32, 64, 128, 256], n_designs)
    workload = Workload(
        names=tuple(f"operator_{i}" for i in range(12)),
        kinds=tuple(Kind(kind) for kind in kinds),
        functions=tuple("softmax" if kind == Kind.ELEMENTWISE else "" for kind in kinds),
        in_features=rng.integers(1, 1000, shape),
        out_features=rng.integers(1, 1000, shape),
        n_vectors=rng.integers(0, 20, shape),
        weight_bits=rng.integers(1, 9, shape),
        edges=np.stack([producers, rng.integers(producers + 1, 12)], axis=1),
        is_active_edge=rng.random((n_designs, 20)) < 0.7,
    )
    config = PimConfig(
        crossbar_size=sizes,
        cell_bits=rng.integers(1, 5, n_designs),
        adc_bits=rng.integers(1, 13, n_designs),
        columns_per_adc=rng.integers(1, sizes + 1),
        n_active_wordlines=rng.integers(1, sizes + 1),
        product_unit=rng.choice(["digital", "crossbar"], n_designs),
        n_copies=rng.integers(1, 5, n_designs),
        table_memory=rng.choice(["reram", "lpddr4", "hbm2"], n_designs),
    )
    return workload, config


@pytest.mark.parametrize("seed", range(3))
def test_batch_equals_loop(seed: int) -> None:
    workload, config = random_batch(40, seed)
    batch = estimate(workload, config)
    breakdown = energy_breakdown_pj(workload, config)
    for index in range(len(workload)):
        single = estimate(workload.take(index), config.take(index))
        for field in fields(batch):
            if field.name not in ("components", "operators"):
                expected = getattr(single, field.name)[0]
                assert getattr(batch, field.name)[index] == pytest.approx(expected, rel=1e-12), field.name
        assert breakdown[index] == pytest.approx(
            energy_breakdown_pj(workload.take(index), config.take(index))[0], rel=1e-12
        )


def test_a_batch_beyond_one_chunk() -> None:
    workload, config = random_batch(6000, 0)  # 72,000 operators: three chunks
    whole = estimate(workload, config)
    picked = np.array([0, 2729, 2730, 2731, 5459, 5460, 5999])
    part = estimate(workload.take(picked), config.take(picked))
    for name in ("energy_pj", "latency_ns", "period_ns", "area_mm2", "power_mw", "energy_by_operator_pj"):
        assert getattr(whole, name)[picked] == pytest.approx(getattr(part, name), rel=1e-12)
