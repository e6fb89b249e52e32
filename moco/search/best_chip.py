"""The best chip for a network that is settled: of least energy, latency or area, or balanced.

What a chip costs is computed, and on all chips that lose nothing a network is as accurate. A search looks at many
networks on few chips each, and by scores: which network is best, trainings tell, and then its chip can be chosen anew.
It is found by descent: from the best of some random chips to the best of all that differ in one choice or two, until
none is better; each chip's ADC has the fewest bits that lose nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from moco.costs.lowering import pim_config
from moco.design import Design
from moco.search.codesign import CodesignStudy
from moco.search.look_ahead import LookAhead
from pimmodel import Calibration, Estimate
from pimmodel.numerics import required_adc_bits
from spaces import CodesignSpace, Genomes, Space
from studies import Trials

GOALS = {
    "energy": ("energy_pj",),
    "latency": ("latency_ns",),
    "area": ("area_mm2",),
    "balance": ("energy_pj", "latency_ns", "area_mm2"),
}
"""What a chip can be best in: figures of `pimmodel.Estimate`, whose product is least."""

WORDS = {"energy": "least energy", "latency": "least latency", "area": "least area", "balance": "balanced"}
"""What a chip that is best in a goal is called."""

N_RANDOM = 512
"""Chips of which the best is where a descent begins. Of 16 it ends as well where one figure counts; where several do,
of 64 it ends 7 % above the best on average, of 512 2 % (the product of energy, latency and area, on Frappe)."""

BEYOND = 10.0
"""Power of how far a figure is beyond its limit, by which a chip counts as worse: so a descent comes below limits
first, and is best there then."""

NO_LIMITS: Mapping[str, float] = MappingProxyType({})

Value = Callable[[Genomes], NDArray[np.float64]]
"""(B,) what is made as small as can be, of (B, P) genomes; infinite for what is not allowed."""


def with_best_chip(study: CodesignStudy, design: Design, goal: str) -> Design:
    """The network of a design on the chip that is best in a goal: it loses nothing and keeps the caps of the search.

    Args:
        study: Holds the design.
        design: One whose chip loses nothing either, so that its network is as accurate on the other.
        goal: One of GOALS.

    Raises:
        ValueError: There is no such goal, or the design's own chip loses something or breaks a cap.
    """
    if goal not in GOALS:
        raise ValueError(f"a chip is best in {', '.join(GOALS)}, got {goal!r}")
    found = best_chips(study, [design], [goal])
    if not found:
        raise ValueError(
            f"the chip of design {design.key[:8]} loses something or breaks a cap of the search, so that its network "
            "may do worse on another: keep its chip, or choose another design"
        )
    return found[design.key][goal]


def best_chips(
    study: CodesignStudy,
    designs: Sequence[Design],
    goals: Sequence[str] = tuple(GOALS),
    limits: Mapping[str, float] = NO_LIMITS,
) -> dict[str, dict[str, Design]]:
    """By key and goal: the networks of designs on the best chips for them.

    There are none of a design whose own chip loses something or breaks a cap, nor where no chip found is within limits.

    Args:
        study: Holds the designs.
        designs: To put on other chips.
        goals: Of GOALS.
        limits: Of figures of `pimmodel.Estimate`, such as energy_pj, for these chips alone.
    """
    kept, genomes = best_genomes(study, designs, goals, limits)
    if len(kept) == 0:
        return {}
    scored = study.evaluate(genomes)  # together: the layers of a network are tuned once for all its chips
    moved = replace(
        kept.select(np.repeat(np.arange(len(kept)), len(goals))),
        genomes=genomes,
        keys=study.space.keys(genomes),
        values=np.asarray(scored.values),
        attributes={name: np.asarray(values) for name, values in scored.attributes.items()},
    )
    found = iter(study.designs(moved))
    return {key: {goal: next(found) for goal in goals} for key in kept.keys}


def best_genomes(
    study: CodesignStudy,
    designs: Sequence[Design],
    goals: Sequence[str] = tuple(GOALS),
    limits: Mapping[str, float] = NO_LIMITS,
) -> tuple[Trials, Genomes]:
    """The n designs that can have other chips, and (n * len(goals), P) their networks on the best ones.

    Takes what `best_chips` takes.
    """
    trials = study.study.trials()
    of_designs = trials.select(np.flatnonzero(np.isin(trials.keys, [design.key for design in designs])))
    if len(of_designs) == 0:
        return of_designs, of_designs.genomes
    kept = of_designs.select(np.flatnonzero(allowed_costs(study, of_designs.genomes, study.calibration)[0]))
    values = [_value(study, goal, limits) for goal in goals]
    genomes = np.repeat(kept.genomes, len(values), axis=0)
    for row, genome in enumerate(genomes):
        genomes[row] = best_chip(study.space, genome, values[row % len(values)], np.random.default_rng(0))
    if limits and len(kept):
        _, found = allowed_costs(study, genomes, study.calibration)
        is_within = (_beyond(found, limits) <= 1).reshape(-1, len(values)).all(axis=1)
        kept, genomes = kept.select(np.flatnonzero(is_within)), genomes[np.repeat(is_within, len(values))]
    return kept, genomes


def _value(study: CodesignStudy, goal: str, limits: Mapping[str, float]) -> Value:
    """What a goal makes small, as a function of genomes; infinite for chips that are not allowed."""

    def value(genomes: Genomes) -> NDArray[np.float64]:
        is_allowed, found = allowed_costs(study, genomes, study.calibration)
        figures = np.stack([getattr(found, name) for name in GOALS[goal]]).prod(axis=0)
        return np.where(is_allowed, figures * _beyond(found, limits) ** BEYOND, np.inf)

    return value


def _beyond(costs: Estimate, limits: Mapping[str, float]) -> NDArray[np.float64]:
    """(B,) how many times chips are above limits, 1 within: the product over figures."""
    beyond = np.ones(len(costs.energy_pj))
    for name, limit in limits.items():
        beyond *= np.maximum(getattr(costs, name) / limit, 1.0)
    return beyond


def allowed_costs(
    study: CodesignStudy, genomes: Genomes, calibration: Calibration
) -> tuple[NDArray[np.bool_], Estimate]:
    """(B,) which of (B, P) genomes lose nothing and keep the caps of a search, by its own hardware model, and what they
    cost by another calibration of it."""
    constraints = tuple(study.study.constraints)
    own = LookAhead(study.data, study.space, study.calibration, study.cardinalities, constraints)
    costs = replace(own, calibration=calibration).costs(genomes)
    is_allowed = costs.is_lossless
    if constraints:
        is_allowed &= own.keeps_caps(costs if calibration is own.calibration else own.costs(genomes))
    return is_allowed, costs.estimate


def best_chip(space: CodesignSpace, genome: NDArray[np.int64], value: Value, rng: np.random.Generator) -> Genomes:
    """(P,) the network of a genome on the chip of least value that descent finds; never a worse one than its own.

    Args:
        space: Of the genome.
        genome: (P,) canonical.
        value: (B,) of (B, P) genomes.
        rng: Draws the chips that descent begins with.
    """
    n_network, hardware = space.n_network_blocks, space.hardware
    changes = changes_of_two(hardware)
    best, least = genome, np.inf
    chips = np.concatenate([genome[None, n_network:], hardware.sample(rng, N_RANDOM)])
    while True:
        tried = np.repeat(genome[None], len(chips), axis=0)
        tried[:, n_network:] = with_fitting_adcs(hardware, chips)
        values = value(tried)
        if values.min() >= least:
            found: Genomes = space.canonical(best[None])[0]
            return found
        best, least = tried[values.argmin()], values.min()
        chips = (best[n_network:] + changes) % hardware.n_choices


def with_fitting_adcs(hardware: Space, chips: Genomes) -> Genomes:
    """(B, P) the same chips with the fewest ADC bits that lose nothing; the most there are where none loses nothing."""
    column, fitting = hardware.column("adc_bits"), chips.copy()
    needed = required_adc_bits(pim_config(hardware.columns(chips)))
    choices = np.array(hardware.blocks[column].choices)
    fitting[:, column] = np.minimum(np.searchsorted(choices, needed), len(choices) - 1)
    return fitting


def changes_of_one(space: Space) -> Genomes:
    """(N, P) what to add to a genome, modulo the numbers of choices, for all that differ in one block."""
    n_choices, identity = space.n_choices, np.eye(len(space.blocks), dtype=np.int64)
    return np.concatenate([np.outer(np.arange(1, n), block) for n, block in zip(n_choices, identity, strict=True)])


def changes_of_two(space: Space) -> Genomes:
    """(N, P) likewise, for all that differ in one block or in two."""
    ones = changes_of_one(space)
    first, second = np.triu_indices(len(ones), 1)
    twos = ones[first] + ones[second]
    return np.concatenate([ones, twos[(twos > 0).sum(axis=1) == 2]])
