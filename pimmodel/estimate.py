"""Energy, latency, area and power of networks on chips, whole batches at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pimmodel.calibrations import find_calibration
from pimmodel.components import COMPONENTS, Calibration, Floats, mapped_crossbar_area_um2
from pimmodel.config import PimConfig
from pimmodel.mapping import Shapes
from pimmodel.operators import (
    OperatorCosts,
    crossbar_product_costs,
    digital_product_costs,
    elementwise_costs,
    lookup_costs,
    mvm_costs,
)
from pimmodel.schedule import critical_path_ns
from pimmodel.workload import Kind, Workload

_CHUNK_ELEMENTS = 2**15  # operators times designs worked on at once: intermediate arrays stay in cache
_INDEX = {component: index for index, component in enumerate(COMPONENTS)}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Estimate:
    """What B designs cost; C components, L operators.

    Attributes:
        energy_pj: (B,) one inference, leakage over its latency included.
        latency_ns: (B,) longest path through the graph, from lookup to result.
        period_ns: (B,) time between inferences in a full pipeline: the operator that is busy longest.
        area_mm2: (B,) the chip; DRAM beside it takes none.
        power_mw: (B,) with the pipeline full: dynamic energy per period, plus static power; 0 for a
            network without operators.
        cell_utilisation: (B,) cells that hold data over cells of the allocated crossbars; 0 without
            crossbars.
        components: (C,) names of the columns by component.
        operators: (L,) names of the columns by operator.
        energy_by_component_pj, area_by_component_mm2: (B, C).
        energy_by_operator_pj, latency_by_operator_ns, area_by_operator_mm2: (B, L).
    """

    energy_pj: Floats
    latency_ns: Floats
    period_ns: Floats
    area_mm2: Floats
    power_mw: Floats
    cell_utilisation: Floats
    components: tuple[str, ...]
    operators: tuple[str, ...]
    energy_by_component_pj: Floats
    area_by_component_mm2: Floats
    energy_by_operator_pj: Floats
    latency_by_operator_ns: Floats
    area_by_operator_mm2: Floats

    @property
    def throughput_per_s(self) -> Floats:
        """(B,) inferences per second with the pipeline full; infinite for a network without operators."""
        with np.errstate(divide="ignore"):
            return 1e9 / self.period_ns


def estimate(workload: Workload, config: PimConfig, calibration: str | Calibration = "isaac32") -> Estimate:
    """Cost every network of a workload on its chip.

    Args:
        workload: B networks, or one for all chips.
        config: B chips, or one for all networks.
        calibration: Name in CALIBRATIONS, or one of your own.

    Returns:
        One row per design.

    Raises:
        ValueError: the lengths differ and neither is 1, or no calibration has that name.

    Every operator has crossbars and digital lanes of its own, so that a full pipeline keeps all busy.
    Left out: links between chips and to the host, writing the weights, contention, idle converters.
    """
    constants = find_calibration(calibration)
    n_designs = _n_designs(workload, config)
    n_components, n_operators = len(COMPONENTS), len(workload.names)
    energy_by_component, area_by_component = (np.empty((n_designs, n_components)) for _ in range(2))
    energy_by_operator, latency_by_operator, area_by_operator = (np.empty((n_designs, n_operators)) for _ in range(3))
    latency, period, power, utilisation = (np.empty(n_designs) for _ in range(4))
    for chunk in _chunks(workload, config, constants):
        rows = chunk.rows
        energy_by_component[rows], energy_by_operator[rows] = chunk.energy_pj()
        area_by_component[rows], area_by_operator[rows] = chunk.area_mm2()
        latency_by_operator[rows] = chunk.latency_ns.T
        latency[rows] = chunk.critical_path_ns
        period[rows] = chunk.busy_ns.max(axis=0, initial=0.0)
        utilisation[rows] = chunk.cell_utilisation()
        power[rows] = chunk.static_mw.sum(axis=0)
    energy = energy_by_component.sum(axis=1)
    dynamic_pj = energy - energy_by_component[:, _INDEX["leakage"]]
    power += np.divide(dynamic_pj, period, out=np.zeros(n_designs), where=period > 0)
    return Estimate(
        energy_pj=energy,
        latency_ns=latency,
        period_ns=period,
        area_mm2=area_by_component.sum(axis=1),
        power_mw=power,
        cell_utilisation=utilisation,
        components=COMPONENTS,
        operators=workload.names,
        energy_by_component_pj=energy_by_component,
        area_by_component_mm2=area_by_component,
        energy_by_operator_pj=energy_by_operator,
        latency_by_operator_ns=latency_by_operator,
        area_by_operator_mm2=area_by_operator,
    )


def energy_breakdown_pj(workload: Workload, config: PimConfig, calibration: str | Calibration = "isaac32") -> Floats:
    """(B, L, C) energy of each operator by component; takes and raises what `estimate` does."""
    constants = find_calibration(calibration)
    breakdown = np.zeros((_n_designs(workload, config), len(workload.names), len(COMPONENTS)))
    for chunk in _chunks(workload, config, constants):
        part = breakdown[chunk.rows]
        for positions, costs in chunk.costs:
            for component, energy_pj in costs.energy_pj.items():
                part[:, positions, _INDEX[component]] += energy_pj.T
        part[:, :, _INDEX["leakage"]] = chunk.leakage_pj.T
    return breakdown


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chunk:
    """Some designs of a batch; (L, B) arrays."""

    rows: slice
    costs: list[tuple[NDArray[np.intp], OperatorCosts]]
    busy_ns: Floats
    latency_ns: Floats
    n_crossbars: Floats
    n_used_cells: Floats
    critical_path_ns: Floats
    static_mw: Floats
    crossbar_size: NDArray[np.int64]
    crossbar_area_um2: dict[str, Floats]

    @property
    def leakage_pj(self) -> Floats:
        """(L, B) static power of each operator's share of the tiles over the latency of the inference."""
        return self.static_mw * self.critical_path_ns

    def energy_pj(self) -> tuple[Floats, Floats]:
        """(B, C) and (B, L)."""
        by_operator = self.leakage_pj
        by_component = np.zeros((len(COMPONENTS), by_operator.shape[1]))
        by_component[_INDEX["leakage"]] = by_operator.sum(axis=0)
        for positions, costs in self.costs:
            for component, energy_pj in costs.energy_pj.items():
                by_component[_INDEX[component]] += energy_pj.sum(axis=0)
            by_operator[positions] += sum(costs.energy_pj.values())
        return by_component.T, by_operator.T

    def area_mm2(self) -> tuple[Floats, Floats]:
        """(B, C) and (B, L)."""
        by_operator = self.n_crossbars * sum(self.crossbar_area_um2.values())
        by_component = np.zeros((len(COMPONENTS), by_operator.shape[1]))
        for component, area_um2 in self.crossbar_area_um2.items():
            by_component[_INDEX[component]] = self.n_crossbars.sum(axis=0) * area_um2
        for positions, costs in self.costs:
            for component, area_um2 in costs.area_um2.items():
                by_component[_INDEX[component]] += area_um2.sum(axis=0)
                by_operator[positions] += area_um2
        return by_component.T / 1e6, by_operator.T / 1e6

    def cell_utilisation(self) -> Floats:
        """(B,)."""
        n_cells = self.n_crossbars.sum(axis=0) * self.crossbar_size**2
        used: Floats = self.n_used_cells.sum(axis=0) / np.maximum(n_cells, 1)
        return used


def _n_designs(workload: Workload, config: PimConfig) -> int:
    if len(workload) != len(config) and 1 not in (len(workload), len(config)):
        raise ValueError(
            f"workload and config must have one length, or one of them length 1, "
            f"got {len(workload)} networks and {len(config)} configurations"
        )
    return len(workload) if len(config) == 1 else len(config)


def _chunks(workload: Workload, config: PimConfig, calibration: Calibration) -> Iterator[_Chunk]:
    n_designs = _n_designs(workload, config)
    step = max(1, _CHUNK_ELEMENTS // max(1, len(workload.names)))
    for start in range(0, n_designs, step):
        rows = slice(start, min(start + step, n_designs))
        yield _chunk(workload, config if len(config) == 1 else config.take(rows), calibration, rows)


def _chunk(workload: Workload, config: PimConfig, calibration: Calibration, rows: slice) -> _Chunk:
    networks = rows if len(workload) > 1 else slice(None)
    costs = _operator_costs(workload, networks, config, calibration)
    shape = (len(workload.names), rows.stop - rows.start)
    busy_ns, latency_ns, n_crossbars, n_used_cells = (np.zeros(shape) for _ in range(4))
    for positions, kind_costs in costs:
        busy_ns[positions] += kind_costs.busy_ns
        latency_ns[positions] += kind_costs.busy_ns + kind_costs.overhead_ns
        n_crossbars[positions] += kind_costs.n_crossbars
        n_used_cells[positions] += kind_costs.n_used_cells
    crossbar_size = np.atleast_1d(config.crossbar_size)
    static_mw = crossbar_size / calibration.tile_wordlines * calibration.tile_static_mw  # of one crossbar
    return _Chunk(
        rows=rows,
        costs=costs,
        busy_ns=busy_ns,
        latency_ns=latency_ns,
        n_crossbars=n_crossbars,
        n_used_cells=n_used_cells,
        critical_path_ns=critical_path_ns(
            latency_ns, workload.edges, np.ascontiguousarray(workload.is_active_edge[networks].T)
        ),
        static_mw=n_crossbars * static_mw,
        crossbar_size=crossbar_size,
        crossbar_area_um2=mapped_crossbar_area_um2(config, calibration),
    )


def _operator_costs(
    workload: Workload, networks: slice, config: PimConfig, calibration: Calibration
) -> list[tuple[NDArray[np.intp], OperatorCosts]]:
    """Costs of each kind of operator and the positions they belong to."""
    costs: list[tuple[NDArray[np.intp], OperatorCosts]] = []
    for kind in Kind:
        positions = np.flatnonzero([other is kind for other in workload.kinds])
        if not positions.size:
            continue
        shapes = Shapes.of(workload, networks, positions)
        match kind:
            case Kind.MVM:
                costs.append((positions, mvm_costs(shapes, config, calibration)))
            case Kind.PRODUCT:
                product_unit = np.atleast_1d(config.product_unit)
                if np.any(product_unit == "digital"):
                    costs.append((positions, digital_product_costs(shapes, config, calibration)))
                if np.any(product_unit == "crossbar"):
                    costs.append((positions, crossbar_product_costs(shapes, config, calibration)))
            case Kind.ELEMENTWISE:
                functions = [workload.functions[position] for position in positions]
                costs.append((positions, elementwise_costs(shapes, functions, config, calibration)))
            case Kind.LOOKUP:
                costs.append((positions, lookup_costs(shapes, config, calibration)))
    return costs
