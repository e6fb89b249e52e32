from __future__ import annotations

import numpy as np
import pytest

from pimmodel import COMPONENTS, ISAAC, Breakdown, Kind, Operator, PimConfig, Workload, breakdown, estimate
from pimmodel.calibrations import CALIBRATIONS

FC = Operator(name="fc", kind=Kind.MVM, in_features=128, out_features=128)
RELU = Operator(name="relu", kind=Kind.ELEMENTWISE, in_features=0, out_features=100, function="relu", inputs=("fc",))
GRAM = Operator(name="gram", kind=Kind.PRODUCT, in_features=16, out_features=27, n_vectors=27)
LOOKUP = Operator(name="embedding", kind=Kind.LOOKUP, in_features=10**6, out_features=16, n_vectors=26)
NETWORK = Workload.from_operators([FC, RELU, GRAM, LOOKUP])


def part(array: np.ndarray, operator: str, component: str) -> float:
    return float(array[0, NETWORK.names.index(operator), COMPONENTS.index(component)])


def test_by_hand() -> None:
    result = breakdown(NETWORK, PimConfig(product_unit="crossbar", table_memory="reram"))
    assert isinstance(result, Breakdown)
    assert (result.operators, result.components) == (NETWORK.names, COMPONENTS)
    assert result.energy_pj.shape == result.time_ns.shape == result.area_mm2.shape == (1, 4, len(COMPONENTS))
    # fc: 4 full crossbars of the 96 of a tile, 8 cycles in which read and conversions take 100 ns
    assert part(result.energy_pj, "fc", "adc") == pytest.approx(8 * 512 * 1.5625)
    assert part(result.time_ns, "fc", "adc") == pytest.approx(800)
    assert part(result.time_ns, "fc", "crossbar") == pytest.approx(800)
    assert part(result.area_mm2, "fc", "adc") == pytest.approx(4 * 1200e-6)
    assert part(result.area_mm2, "fc", "crossbar") == pytest.approx(4 * 25e-6)
    # relu: 64 lanes, 100 comparisons of 0.03 pJ at 45 nm
    assert part(result.energy_pj, "relu", "digital") == pytest.approx(100 * 0.03 * 0.66)
    assert part(result.time_ns, "relu", "digital") == pytest.approx(2)
    # gram: 27 vectors of 8 cycles, 108 bitlines in turn; 16 wordlines written, 12.5 ns to read
    assert part(result.time_ns, "gram", "adc") == pytest.approx(27 * 8 * 84.375)
    assert part(result.time_ns, "gram", "crossbar") == pytest.approx(27 * 8 * 12.5 + 160)
    # embedding: rows of 64 two-bit cells, 26 of them in 10 ns each
    assert part(result.time_ns, "embedding", "embedding_memory") == pytest.approx(260)
    assert part(result.area_mm2, "embedding", "embedding_memory") == pytest.approx(64 / 10.1 * (32 / 22) ** 2)
    assert result.n_crossbars.tolist() == [[4, 0, 1, 0]]
    assert result.n_tiles == pytest.approx(np.array([[4 / 96, 0, 1 / 96, 0]]))
    assert result.n_used_cells.tolist() == [[4 * 128**2, 0, 16 * 27 * 4, 0]]


@pytest.mark.parametrize("calibration", CALIBRATIONS)
@pytest.mark.parametrize("product_unit", ["digital", "crossbar"])
@pytest.mark.parametrize("execution", ["pipelined", "layer-by-layer"])
def test_leakage_and_shared_crossbars_are_split_up(calibration: str, product_unit: str, execution: str) -> None:
    chips = PimConfig(
        product_unit=product_unit, execution=execution, crossbar_size=256, n_copies=2, table_memory="reram"
    )
    parts, result = breakdown(NETWORK, chips, calibration), estimate(NETWORK, chips, calibration)
    assert parts.n_crossbars.sum(axis=1) == pytest.approx(result.n_crossbars)
    n_cells = parts.n_crossbars.sum(axis=1) * 256**2
    assert parts.n_used_cells.sum(axis=1) / n_cells == pytest.approx(result.cell_utilisation)
    # a component never works longer than its operator takes
    assert np.all(parts.time_ns <= result.latency_by_operator_ns[..., None] * (1 + 1e-12))
    assert parts.energy_pj.sum(axis=2) == pytest.approx(result.energy_by_operator_pj)
    assert parts.area_mm2.sum(axis=1) == pytest.approx(result.area_by_component_mm2)


def test_absent_operators_are_zero() -> None:
    absent = Workload(
        **{name: getattr(NETWORK, name) for name in NETWORK.__slots__ if name != "n_vectors"},
        n_vectors=NETWORK.n_vectors * np.array([[1, 0, 0, 1]]),
    )
    result = breakdown(absent, ISAAC)
    for array in (result.energy_pj, result.time_ns, result.area_mm2, result.n_crossbars, result.n_used_cells):
        assert not array[0, [1, 2]].any()
        assert array[0, 0].any()
    assert result.energy_pj[0, 3].any()
    assert breakdown(Workload.from_operators([]), ISAAC).energy_pj.shape == (1, 0, len(COMPONENTS))
    assert breakdown(absent.take([]), ISAAC).energy_pj.shape == (0, 4, len(COMPONENTS))


def test_refuses_what_estimate_refuses() -> None:
    with pytest.raises(ValueError, match="one of them length 1, got 2 networks and 3 configurations"):
        breakdown(NETWORK.take([0, 0]), PimConfig(adc_bits=np.array([4, 6, 8])))
    with pytest.raises(ValueError, match="unknown calibration 'isaac'; calibrations are 'isaac32'"):
        breakdown(NETWORK, ISAAC, calibration="isaac")
