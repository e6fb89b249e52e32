"""Where a design's energy, time and area go: every operator by every component."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pimmodel.batch import chunks, n_designs
from pimmodel.calibration import Calibration
from pimmodel.catalogue import find_calibration
from pimmodel.config import PimConfig
from pimmodel.costs import COMPONENTS, Floats
from pimmodel.schedule import schedule
from pimmodel.workload import Workload


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Breakdown:
    """Costs of B designs by operator, L, and component, C.

    Attributes:
        operators: (L,) names.
        components: (C,) names.
        energy_pj: (B, L, C) one inference, leakage included.
        time_ns: (B, L, C) how long a component works for one inference; components overlap.
        area_mm2: (B, L, C).
        n_crossbars, n_tiles, n_used_cells: (B, L) what each operator occupies; fractions where it shares.
    """

    operators: tuple[str, ...]
    components: tuple[str, ...]
    energy_pj: Floats
    time_ns: Floats
    area_mm2: Floats
    n_crossbars: Floats
    n_tiles: Floats
    n_used_cells: Floats


def breakdown(workload: Workload, config: PimConfig, calibration: str | Calibration = "isaac32") -> Breakdown:
    """Takes and raises what `estimate` does. Its sums over operators or components are `estimate`'s figures."""
    constants = find_calibration(calibration)
    shape = (n_designs(workload, config), len(workload.names), len(COMPONENTS))
    energy_pj, time_ns, area_um2 = np.zeros((3, *shape))
    n_crossbars, n_tiles, n_used_cells = np.zeros((3, *shape[:2]))
    for chunk in chunks(workload, config, constants):
        latency_ns = schedule(workload, chunk).latency_ns
        for group in chunk.groups:
            costs, design = group.costs, group.operators.design + chunk.rows.start
            for table, parts in ((energy_pj, costs.energy_pj), (time_ns, costs.time_ns), (area_um2, costs.area_um2)):
                for component, values in parts.items():
                    table[design, group.position, COMPONENTS.index(component)] = values
            energy_pj[design, group.position, COMPONENTS.index("leakage")] = costs.static_mw * group.operators.each(
                latency_ns
            )
            for counts, each in (
                (n_crossbars, costs.n_crossbars),
                (n_tiles, costs.n_tiles),
                (n_used_cells, costs.n_used_cells),
            ):
                counts[design, group.position] = each
    return Breakdown(
        operators=workload.names,
        components=COMPONENTS,
        energy_pj=energy_pj,
        time_ns=time_ns,
        area_mm2=area_um2 / 1e6,
        n_crossbars=n_crossbars,
        n_tiles=n_tiles,
        n_used_cells=n_used_cells,
    )
