"""The energy that networks need: each on a chip of least energy that loses nothing, all networks at once.

Which chip a search looked at is chance, and what a network loses on a chip, trained to the end, scores hardly tell. So
final trainings go by the chips that networks could have.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from moco.costs.batch import LEAST_BITS
from moco.costs.lowering import pim_config
from moco.design import Design
from moco.search.best_chip import allowed_costs, changes_of_one, with_fitting_adcs
from moco.search.codesign import CodesignStudy
from pimmodel.numerics import required_adc_bits
from spaces import Genomes, Space
from studies import Trials


def on_good_chips(
    study: CodesignStudy, progress: Callable[[int, int], None] | None = None
) -> tuple[list[Design], dict[str, float]]:
    """Feasible designs of a study, on lossy chips only those whose networks can have no other, and by their keys what
    energy in pJ each needs.

    Networks that the search looked at on lossy chips alone join the study on others.

    Args:
        study: Of the designs.
        progress: As of `CodesignStudy.add`, of those that join.
    """
    found = _Feasible.of(study)
    missing = found.missing(study.space.n_network_blocks)
    if len(missing):
        study.add(missing, progress)
        found = _Feasible.of(study)
    is_kept = found.is_good | ~found.has_good
    trials, least_pj = found.trials.select(is_kept), found.least_pj[is_kept]
    return study.designs(trials), dict(zip(trials.keys, least_pj.tolist(), strict=True))


@dataclass(frozen=True)
class _Feasible:
    """The n feasible designs of a study.

    Attributes:
        trials: As stored.
        better: (n, P) their networks on chips of least energy.
        least_pj: (n,) energy there.
        is_good: (n,) whether their own chips lose nothing and are allowed.
        has_good: (n,) whether any chip does and is.
    """

    trials: Trials
    better: Genomes
    least_pj: NDArray[np.float64]
    is_good: NDArray[np.bool_]
    has_good: NDArray[np.bool_]

    @classmethod
    def of(cls, study: CodesignStudy) -> _Feasible:
        trials = study.study.trials()
        trials = trials.select(trials.is_feasible)
        better, least_pj, has_good = least_energy(study, trials.genomes)
        return cls(trials, better, least_pj, allowed_costs(study, trials.genomes, study.calibration)[0], has_good)

    def missing(self, n_network_blocks: int) -> Genomes:
        """(B, P) networks that have a good chip and are on none, on chips of least energy."""
        networks = [network.tobytes() for network in self.trials.genomes[:, :n_network_blocks]]
        on_good = {networks[row] for row in np.flatnonzero(self.is_good)}
        rows = {networks[row]: row for row in np.flatnonzero(self.has_good) if networks[row] not in on_good}
        found: Genomes = self.better[list(rows.values())]
        return found


def least_energy(study: CodesignStudy, genomes: Genomes) -> tuple[Genomes, NDArray[np.float64], NDArray[np.bool_]]:
    """The networks of (B, P) genomes on chips of least energy that lose nothing and keep the caps of a search.

    As far as single choices lead down from their own chips, made to lose nothing: within a third of what
    `moco.search.best_chip` finds for one network at a time, mostly within a hundredth.

    Returns:
        (B, P) genomes, (B,) energies in pJ, and (B,) whether there is such a chip; else both are those given.
    """
    space, found = study.space, genomes.copy()
    found[:, space.n_network_blocks :] = losing_nothing(space.hardware, genomes[:, space.n_network_blocks :])
    is_allowed, costs = allowed_costs(study, found, study.calibration)
    found[~is_allowed] = genomes[~is_allowed]
    least = np.where(is_allowed, costs.energy_pj, allowed_costs(study, genomes, study.calibration)[1].energy_pj)
    rows, changes = np.flatnonzero(is_allowed), changes_of_one(space.hardware)
    while len(rows):
        tried = np.repeat(found[rows], len(changes), axis=0)
        chips = tried[:, space.n_network_blocks :] + np.tile(changes, (len(rows), 1))
        tried[:, space.n_network_blocks :] = with_fitting_adcs(space.hardware, chips % space.hardware.n_choices)
        is_good, costs = allowed_costs(study, tried, study.calibration)
        energy_pj = np.where(is_good, costs.energy_pj, np.inf).reshape(len(rows), len(changes))
        best = energy_pj.argmin(axis=1) + np.arange(len(rows)) * len(changes)
        is_less = energy_pj.min(axis=1) < least[rows]
        rows, best = rows[is_less], best[is_less]
        found[rows], least[rows] = tried[best], energy_pj.ravel()[best]
    return space.canonical(found), least, is_allowed


def losing_nothing(hardware: Space, chips: Genomes) -> Genomes:
    """(B, P) the same chips with enough bits of words and tables, and with the fewest ADC bits that lose nothing; where
    no ADC has as many, with as few wordlines and DAC bits at a time as there can be."""
    fitting, n_choices = chips.copy(), hardware.n_choices
    for name in ("activation_bits", "table_bits"):
        column = hardware.column(name)
        enough = int(np.searchsorted(np.array(hardware.blocks[column].choices), LEAST_BITS))
        fitting[:, column] = np.minimum(np.maximum(chips[:, column], enough), n_choices[column] - 1)
    adcs = np.array(hardware.blocks[hardware.column("adc_bits")].choices)
    lacks = required_adc_bits(pim_config(hardware.columns(fitting))) > adcs.max()
    groups = hardware.column("wordline_groups")
    fitting[lacks, hardware.column("dac_bits")], fitting[lacks, groups] = 0, n_choices[groups] - 1
    return with_fitting_adcs(hardware, fitting)
