"""What holds for any network on any chip, and the directions that MNSIM 2.0 and NeuroSim obey too."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pimmodel import FUNCTIONS, Estimate, Kind, Operator, PimConfig, Workload, breakdown, estimate
from pimmodel.calibrations import CALIBRATIONS
from pimmodel.isaac import IsaacCalibration

SLACK = 1 + 1e-12  # rounding
laws = settings(max_examples=16)


ISAAC_LIKE = [name for name, constants in CALIBRATIONS.items() if isinstance(constants, IsaacCalibration)]


def each_calibration(**but: str) -> pytest.MarkDecorator:
    """All calibrations but those for which a law cannot hold, each with the reason."""
    assert but.keys() <= CALIBRATIONS.keys()
    return pytest.mark.parametrize("calibration", [name for name in CALIBRATIONS if name not in but])


each_isaac_like = pytest.mark.parametrize("calibration", ISAAC_LIKE)


@st.composite
def networks(
    draw: st.DrawFn,
    max_operators: int = 5,
    n_vectors: st.SearchStrategy[int] = st.integers(0, 40),  # noqa: B008
    kinds: tuple[Kind, ...] = tuple(Kind),
) -> list[Operator]:
    operators: list[Operator] = []
    for index in range(draw(st.integers(1, max_operators))):
        kind = draw(st.sampled_from(kinds))
        names = [operator.name for operator in operators]
        operators.append(
            Operator(
                name=f"operator_{index}",
                kind=kind,
                in_features=draw(st.integers(1, 10**7 if kind is Kind.LOOKUP else 600)),
                out_features=draw(st.integers(1, 600)),
                n_vectors=draw(n_vectors),
                weight_bits=draw(st.integers(1, 15)),
                function=draw(st.sampled_from(list(FUNCTIONS))) if kind is Kind.ELEMENTWISE else "",
                inputs=tuple(draw(st.lists(st.sampled_from(names), unique=True, max_size=3))) if names else (),
            )
        )
    return operators


@st.composite
def chips(draw: st.DrawFn, /, **fixed: Any) -> PimConfig:
    crossbar_size = fixed.get("crossbar_size", draw(st.sampled_from([8, 32, 64, 128, 256, 1024])))
    values = {
        "crossbar_size": crossbar_size,
        "cell_bits": draw(st.integers(1, 4)),
        "dac_bits": draw(st.integers(1, 8)),
        "adc_bits": draw(st.integers(1, 12)),
        "columns_per_adc": draw(st.integers(1, crossbar_size)),
        "n_active_wordlines": draw(st.integers(1, crossbar_size)),
        "activation_bits": draw(st.integers(1, 16)),
        "weight_encoding": draw(st.sampled_from(["isaac", "differential"])),
        "product_unit": draw(st.sampled_from(["digital", "crossbar"])),
        "n_copies": draw(st.integers(1, 50)),
        "execution": draw(st.sampled_from(["pipelined", "layer-by-layer"])),
        "table_memory": draw(st.sampled_from(["reram", "lpddr4", "hbm2"])),
        "table_bits": draw(st.integers(1, 32)),
    }
    return PimConfig(**(values | fixed))


def varied(config: PimConfig, **changes: Any) -> PimConfig:
    values = {field.name: getattr(config, field.name) for field in fields(config)}
    return PimConfig(**(values | changes))


def is_rising(values: NDArray[np.float64]) -> bool:
    return bool(np.all(values[1:] * SLACK >= values[:-1]))


def dynamic_pj(result: Estimate) -> NDArray[np.float64]:
    return result.energy_pj - result.energy_by_component_pj[:, result.components.index("leakage")]


def alone(operators: list[Operator], calibration: str) -> list[Operator]:
    """The first operator for MNSIM, where more tiles for one layer shrink the buffers of all."""
    return operators[:1] if calibration == "mnsim" else operators


@each_calibration()
@laws
@given(operators=networks(), config=chips())
def test_energy_rises_with_adc_bits(calibration: str, operators: list[Operator], config: PimConfig) -> None:
    chip = varied(config, adc_bits=np.arange(1, 13))
    result = estimate(Workload.from_operators(operators), chip, calibration)
    assert is_rising(result.energy_pj)


@each_calibration(mnsim="an 8-bit ADC samples faster and is smaller than a 6-bit one")
@laws
@given(operators=networks(), config=chips())
def test_time_and_area_rise_with_adc_bits(calibration: str, operators: list[Operator], config: PimConfig) -> None:
    chip = varied(config, adc_bits=np.arange(1, 13))
    result = estimate(Workload.from_operators(operators), chip, calibration)
    assert is_rising(result.latency_ns)
    assert is_rising(result.period_ns)
    assert is_rising(result.area_mm2)


@each_calibration()
@laws
@given(operators=networks(), config=chips())
def test_costs_rise_with_activation_bits(calibration: str, operators: list[Operator], config: PimConfig) -> None:
    # premise for NeuroSim: digital products; written ones take fewer slices at fewer bits
    unit = "digital" if calibration == "neurosim22" else config.product_unit
    chip = varied(config, product_unit=unit, activation_bits=np.arange(1, 17))
    result = estimate(Workload.from_operators(operators), chip, calibration)
    assert is_rising(result.energy_pj)
    assert is_rising(result.latency_ns)
    assert is_rising(result.period_ns)
    assert is_rising(result.area_mm2)


@each_calibration()
@laws
@given(operators=networks(), config=chips())
def test_costs_rise_with_weight_bits(calibration: str, operators: list[Operator], config: PimConfig) -> None:
    network = alone(operators, calibration)
    wider = [replace(operator, weight_bits=operator.weight_bits + 1) for operator in network]
    less, more = (estimate(Workload.from_operators(each), config, calibration) for each in (network, wider))
    assert less.energy_pj <= more.energy_pj * SLACK
    assert less.area_mm2 <= more.area_mm2 * SLACK
    if calibration != "neurosim22":  # which shifts and adds results one by one: fewer slices finish more of them
        assert less.latency_ns <= more.latency_ns * SLACK


@each_calibration()
@laws
@given(operators=networks(), config=chips(), memory=st.sampled_from(["lpddr4", "hbm2"]))
def test_costs_fall_with_cell_bits(calibration: str, operators: list[Operator], config: PimConfig, memory: str) -> None:
    # premise: tables beside the chip; a table cell of more bits is sensed at a higher cost
    changes: dict[str, Any] = {"table_memory": memory, "cell_bits": np.array([4, 3, 2, 1])}
    network = alone(operators, calibration)
    if calibration == "neurosim22":  # premise: widths that divide; for as many slices wider cells take wider adders
        changes |= {"cell_bits": np.array([4, 2, 1]), "activation_bits": 8}
        network = [replace(operator, weight_bits=8) for operator in network]
    result = estimate(Workload.from_operators(network), varied(config, **changes), calibration)
    assert is_rising(result.energy_pj)
    assert is_rising(result.area_mm2)
    if calibration != "neurosim22":  # fewer slices finish more results
        assert is_rising(result.latency_ns)


@each_isaac_like
@laws
@given(operators=networks(), config=chips(crossbar_size=32), together=st.booleans())
def test_dynamic_energy_falls_with_crossbar_size(
    calibration: str, operators: list[Operator], config: PimConfig, together: bool
) -> None:
    # any shapes: all wordlines of a crossbar driven together, or the same number in any
    sizes = np.array([1024, 512, 256, 128, 64, 32])
    chip = varied(config, crossbar_size=sizes, n_active_wordlines=sizes if together else config.n_active_wordlines)
    result = estimate(Workload.from_operators(operators), chip, calibration)
    assert is_rising(dynamic_pj(result))
    assert is_rising(result.energy_by_component_pj[:, result.components.index("adc")])


@each_calibration()
@laws
@given(
    row_tiles=st.integers(1, 3),
    column_tiles=st.integers(1, 3),
    weight_bits=st.integers(2, 8),
    columns_per_adc=st.sampled_from([4, 8, 16, 32]),
    together=st.booleans(),
    config=chips(crossbar_size=32),
)
def test_energy_and_area_fall_with_crossbar_size(
    calibration: str,
    row_tiles: int,
    column_tiles: int,
    weight_bits: int,
    columns_per_adc: int,
    together: bool,
    config: PimConfig,
) -> None:
    # premise: a layer that fills even the largest crossbars, or NeuroSim's tiles of 4 x 4; one vector, which the
    # buffers hold
    sizes = np.array([512, 256, 128, 64, 32] if calibration in ISAAC_LIKE else [128, 64, 32])
    fc = Operator(
        name="fc",
        kind=Kind.MVM,
        in_features=512 * row_tiles,
        out_features=512 * column_tiles,
        weight_bits=weight_bits,
    )
    chip = varied(
        config,
        crossbar_size=sizes,
        columns_per_adc=columns_per_adc,
        n_active_wordlines=sizes if together else config.n_active_wordlines,
    )
    result = estimate(Workload.from_operators([fc]), chip, calibration)
    assert is_rising(result.energy_pj)
    assert is_rising(result.area_mm2)
    if calibration in ISAAC_LIKE:
        assert result.cell_utilisation == pytest.approx(np.ones(5))


@each_calibration()
@laws
@given(operators=networks(), config=chips(crossbar_size=64))
def test_sharing_an_adc_costs_time_and_saves_area(
    calibration: str, operators: list[Operator], config: PimConfig
) -> None:
    result = estimate(Workload.from_operators(operators), varied(config, columns_per_adc=np.arange(1, 65)), calibration)
    assert is_rising(result.latency_ns)
    assert is_rising(result.period_ns)
    # premise of the others: every doubling to 16 halves the ADCs; the multiplexers before them grow with their columns
    shares = np.arange(64) if calibration in ISAAC_LIKE else 2 ** np.arange(5) - 1
    assert is_rising(result.area_mm2[shares][::-1])


@each_calibration()
@laws
@given(operators=networks(), config=chips())
def test_copies_never_slow_and_never_save_area(calibration: str, operators: list[Operator], config: PimConfig) -> None:
    chip = varied(config, n_copies=np.arange(1, 45))
    result = estimate(Workload.from_operators(operators), chip, calibration)
    assert is_rising(result.latency_ns[::-1])
    assert is_rising(result.period_ns[::-1])
    assert is_rising(result.area_mm2)
    assert np.all(np.diff(result.latency_by_operator_ns, axis=0) <= 0)
    assert dynamic_pj(result) == pytest.approx(np.full(44, dynamic_pj(result)[0]))


@each_calibration()
@laws
@given(operators=networks(n_vectors=st.integers(1, 20)), config=chips())
def test_dynamic_energy_of_weights_is_that_of_each_vector(
    calibration: str, operators: list[Operator], config: PimConfig
) -> None:
    layers = [replace(operator, inputs=()) for operator in operators if operator.kind is Kind.MVM]
    assume(layers)
    doubled = [replace(layer, n_vectors=2 * layer.n_vectors) for layer in layers]
    one, two = (
        breakdown(Workload.from_operators(network), config, calibration).energy_pj for network in (layers, doubled)
    )
    assert two[..., :-1] == pytest.approx(2 * one[..., :-1])  # all but leakage


@each_calibration(mnsim="all buffers are as large as the neediest layer's")
@laws
@given(operators=networks(), config=chips(execution="pipelined"))
def test_costs_add_over_operators(calibration: str, operators: list[Operator], config: PimConfig) -> None:
    together = estimate(Workload.from_operators(operators), config, calibration)
    apart = [estimate(Workload.from_operators([replace(op, inputs=())]), config, calibration) for op in operators]
    assert dynamic_pj(together) == pytest.approx(sum(dynamic_pj(each) for each in apart))
    assert together.area_mm2 == pytest.approx(sum(each.area_mm2 for each in apart))
    assert together.n_crossbars == pytest.approx(sum(each.n_crossbars for each in apart))
    assert together.n_macs == pytest.approx(sum(each.n_macs for each in apart))
    assert together.period_ns == pytest.approx(max(each.period_ns for each in apart))
    assert together.latency_by_operator_ns[0] == pytest.approx([each.latency_ns.item() for each in apart])


@each_calibration()
@laws
@given(operators=networks(), config=chips())
def test_layer_by_layer_takes_the_sum_of_all_times(
    calibration: str, operators: list[Operator], config: PimConfig
) -> None:
    chip = varied(config, execution=np.array(["pipelined", "layer-by-layer"]))
    result = estimate(Workload.from_operators(operators), chip, calibration)
    assert result.latency_by_operator_ns[1] == pytest.approx(result.latency_by_operator_ns[0])
    assert result.latency_ns[1] == result.period_ns[1] == pytest.approx(result.latency_by_operator_ns[1].sum())
    assert result.latency_ns[0] <= result.latency_ns[1] * SLACK
    assert result.period_ns[0] <= result.period_ns[1] * SLACK
    assert result.n_crossbars[1] <= result.n_crossbars[0] * SLACK
    assert result.area_mm2[1] <= result.area_mm2[0] * SLACK
    assert dynamic_pj(result)[1] == pytest.approx(dynamic_pj(result)[0])
    # nothing overlaps: an inference draws its energy over its latency
    assert result.power_mw[1] * result.latency_ns[1] == pytest.approx(result.energy_pj[1])


@each_calibration()
@laws
@given(operators=networks(), config=chips(), position=st.integers(0, 6))
def test_an_absent_operator_costs_nothing(
    calibration: str, operators: list[Operator], config: PimConfig, position: int
) -> None:
    absent = position % len(operators)
    without = [replace(op, n_vectors=0) if i == absent else op for i, op in enumerate(operators)]
    joined = [
        replace(op, kind=Kind.ELEMENTWISE, function="concat") if i == absent else op for i, op in enumerate(operators)
    ]
    left_out, passed = (
        estimate(Workload.from_operators(network), config, calibration) for network in (without, joined)
    )
    assert left_out.energy_by_operator_pj[0, absent] == 0
    assert left_out.latency_by_operator_ns[0, absent] == 0
    assert left_out.area_by_operator_mm2[0, absent] == 0
    assert left_out.energy_pj == pytest.approx(passed.energy_pj)
    assert left_out.latency_ns == pytest.approx(passed.latency_ns)
    assert left_out.area_mm2 == pytest.approx(passed.area_mm2)


@each_calibration()
@laws
@given(operators=networks(), config=chips())
def test_breakdowns_add_up(calibration: str, operators: list[Operator], config: PimConfig) -> None:
    workload = Workload.from_operators(operators)
    result, parts = estimate(workload, config, calibration), breakdown(workload, config, calibration)
    totals = estimate(workload, config, calibration, by_operator=False)
    for array in (parts.energy_pj, parts.time_ns, parts.area_mm2, parts.n_crossbars, parts.n_tiles, parts.n_used_cells):
        assert np.all(array >= 0)
    assert parts.energy_pj.sum(axis=1) == pytest.approx(result.energy_by_component_pj)
    assert parts.energy_pj.sum(axis=2) == pytest.approx(result.energy_by_operator_pj)
    assert parts.area_mm2.sum(axis=1) == pytest.approx(result.area_by_component_mm2)
    assert parts.area_mm2.sum(axis=2) == pytest.approx(result.area_by_operator_mm2)
    assert parts.n_crossbars.sum(axis=1) == pytest.approx(result.n_crossbars)
    for name, by_name in (("energy_pj", "energy_by_{}_pj"), ("area_mm2", "area_by_{}_mm2")):
        for by in ("component", "operator"):
            assert getattr(result, by_name.format(by)).sum(axis=1) == pytest.approx(getattr(result, name))
        assert getattr(totals, name) == getattr(result, name)
    assert 0 <= result.cell_utilisation.item() <= 1
    assert result.latency_ns <= result.latency_by_operator_ns.sum() * SLACK
    assert result.period_ns <= result.latency_ns * SLACK


@each_calibration()
@laws
@given(operators=networks(), config=chips())
def test_units_go_round(calibration: str, operators: list[Operator], config: PimConfig) -> None:
    # mW ns = pJ: power over a period is the dynamic energy and static power over the period
    result = estimate(Workload.from_operators(operators), config, calibration)
    assume(result.period_ns > 0)
    assert result.throughput_per_s * result.period_ns * 1e-9 == pytest.approx(1)
    leakage_pj = result.energy_pj - dynamic_pj(result)
    period_pj = result.power_mw * result.period_ns
    assert period_pj == pytest.approx(dynamic_pj(result) + leakage_pj / result.latency_ns * result.period_ns)
    n_macs = sum(
        op.in_features * op.out_features * op.n_vectors for op in operators if op.kind in (Kind.MVM, Kind.PRODUCT)
    )
    assert result.tops_per_w * 1e12 * (period_pj * 1e-12) == pytest.approx(2 * n_macs)  # op/J times J
    if result.area_mm2 > 0:
        assert result.throughput_per_s_mm2 * result.area_mm2 == pytest.approx(result.throughput_per_s)


@each_calibration()
@laws
@given(
    config=chips(),
    rows=st.integers(10**8, 10**9),
    width=st.integers(1, 4096),
    n_vectors=st.integers(1, 10**6),
)
def test_nothing_overflows(calibration: str, config: PimConfig, rows: int, width: int, n_vectors: int) -> None:
    network = [
        Operator(
            name=kind.value, kind=kind, in_features=rows, out_features=width, n_vectors=n_vectors, function=function
        )
        for kind, function in zip(Kind, ("", "", "softmax", ""), strict=True)
    ]
    assert [operator.kind for operator in network] == [Kind.MVM, Kind.PRODUCT, Kind.ELEMENTWISE, Kind.LOOKUP]
    chip = varied(config, n_copies=2**31)
    result = estimate(Workload.from_operators(network), chip, calibration)
    for figure in ("energy_pj", "latency_ns", "period_ns", "area_mm2", "power_mw", "n_crossbars", "n_macs"):
        assert np.isfinite(getattr(result, figure)).all(), figure
        assert np.all(getattr(result, figure) > 0), figure
    assert result.n_macs == pytest.approx(2.0 * rows * width * n_vectors)
    assert 0 < result.cell_utilisation.item() <= 1
    # all figures rise with the rows; none has wrapped round on the way
    fewer = [replace(operator, in_features=rows // 10) for operator in network]
    less = estimate(Workload.from_operators(fewer), chip, calibration)
    assert less.energy_pj < result.energy_pj
    assert less.n_crossbars < result.n_crossbars
