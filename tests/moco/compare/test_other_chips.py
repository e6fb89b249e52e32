"""Other chips: every change of two is tried, and descent finds the best chip of all."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from moco.compare.figures import columns_of, every_calibration
from moco.compare.other_chips import SINGLE_GOALS, Goal, OtherChips
from moco.costs.batch import design_costs
from moco.costs.lowering import pim_config
from moco.search.best_chip import best_chip, changes_of_two, with_fitting_adcs
from moco.search.codesign import CodesignStudy
from pimmodel.numerics import required_adc_bits
from spaces import HARDWARE_SPACE, ChoiceBlock, Genomes, Space, codesign_of
from studies import Constraint, is_non_dominated

SOME = {"adc_range": ("full-scale",), "activation_bits": (8,), "table_bits": (8,), "table_memory": ("reram",)}
SOME |= {"weight_encoding": ("isaac",), "product_unit": ("digital",), "columns_per_adc": (8,)}


GOALS = (*SINGLE_GOALS, lambda columns: columns["energy_pj"] * columns["latency_ns"] * columns["area_mm2"])


def test_every_genome_that_differs_in_one_block_or_two_is_reached_once() -> None:
    space = Space("s", tuple(ChoiceBlock(name, tuple(range(n))) for name, n in (("a", 3), ("b", 2), ("c", 4))))
    start = np.array([2, 0, 1])
    reached = (start + changes_of_two(space)) % space.n_choices
    every = np.array(list(itertools.product(range(3), range(2), range(4))))
    differing = (every != start).sum(axis=1)
    expected = every[(differing >= 1) & (differing <= 2)]
    assert sorted(map(tuple, reached.tolist())) == sorted(map(tuple, expected.tolist()))
    assert len(changes_of_two(HARDWARE_SPACE)) == 35 + 557


@pytest.mark.parametrize("goal", GOALS)
def test_descent_finds_the_best_of_all_chips(study: CodesignStudy, goal: Goal) -> None:
    space = codesign_of(study.space.network, HARDWARE_SPACE.with_choices(SOME))

    def value(genomes: Genomes) -> NDArray[np.float64]:
        costs = design_costs(study.data, space, genomes)
        lossless = costs.is_lossless
        return np.where(lossless, goal(columns_of(costs.estimate)), np.inf)

    chips = np.array(list(itertools.product(*(range(n) for n in space.hardware.n_choices))))
    genomes = space.canonical(space.sample(np.random.default_rng(0), 1).repeat(len(chips), axis=0))
    genomes[:, space.n_network_blocks :] = chips
    values = value(genomes)
    start = genomes[np.flatnonzero(np.isfinite(values))[-1]]
    found = best_chip(space, start, value, np.random.default_rng(0))
    assert value(found[None])[0] == pytest.approx(values.min(), rel=1e-12)
    np.testing.assert_array_equal(found[: space.n_network_blocks], start[: space.n_network_blocks])


def test_an_adc_has_the_fewest_bits_that_lose_nothing_of_those_there_are() -> None:
    chips = HARDWARE_SPACE.sample(np.random.default_rng(0), 500)
    fitting = with_fitting_adcs(HARDWARE_SPACE, chips)
    column = HARDWARE_SPACE.column("adc_bits")
    np.testing.assert_array_equal(np.delete(fitting, column, axis=1), np.delete(chips, column, axis=1))
    configs = pim_config(HARDWARE_SPACE.columns(fitting))
    spare = np.asarray(configs.adc_bits) - required_adc_bits(configs)
    assert (spare >= 0).mean() > 0.5
    assert ((spare == 0) | (configs.adc_bits == 4))[spare >= 0].all()
    assert (np.asarray(configs.adc_bits)[spare < 0] == 10).all()


def test_other_chips_lose_nothing_and_are_better_than_those_of_the_front(study: CodesignStudy) -> None:
    trials, calibrations = study.study.trials(), every_calibration(study.calibration)
    front = trials.select(is_non_dominated(trials.values))
    chips = OtherChips.of(study, front)
    genomes, logloss = chips.best(SINGLE_GOALS, list(calibrations.values()))
    costs = design_costs(study.data, study.space, genomes, study.calibration)
    assert costs.is_lossless.all()
    own = design_costs(study.data, study.space, front.genomes, study.calibration)
    kept = own.is_lossless
    assert kept.any()
    n_each = len(SINGLE_GOALS) * len(calibrations)
    np.testing.assert_array_equal(logloss, front.values[kept, 0].repeat(n_each))
    of_own = {figure: values[kept] for figure, values in columns_of(own.estimate).items()}
    of_found = {figure: values.reshape(-1, n_each) for figure, values in columns_of(costs.estimate).items()}
    for place, goal in enumerate(SINGLE_GOALS):
        values = goal({figure: it[:, place] for figure, it in of_found.items()})
        assert (values <= goal(of_own) * (1 + 1e-12)).all()
    limit = float(np.median(chips.designs.values[:, 0]))
    few, of_few = chips.best(SINGLE_GOALS, [study.calibration], limit)
    assert (of_few <= limit).all()
    assert len(few) == len(SINGLE_GOALS) * int((chips.designs.values[:, 0] <= limit).sum())


def test_other_chips_keep_the_caps_of_the_search(study: CodesignStudy, monkeypatch: pytest.MonkeyPatch) -> None:
    trials, calibrations = study.study.front(), list(every_calibration(study.calibration).values())

    def power_mw(genomes: Genomes) -> NDArray[np.float64]:
        return np.asarray(design_costs(study.data, study.space, genomes, study.calibration).estimate.power_mw)

    free = OtherChips.of(study, trials)
    limit = float(np.quantile(power_mw(free.designs.genomes), 0.75))
    assert (power_mw(free.best(SINGLE_GOALS, calibrations)[0]) > limit).any()
    monkeypatch.setattr(study.study, "constraints", (Constraint(name="power_mw", limit=limit, unit="mW"),))
    capped = OtherChips.of(study, trials)
    assert 0 < len(capped.designs.values) < len(free.designs.values)
    found, _ = capped.best(SINGLE_GOALS, calibrations)
    assert (power_mw(found) <= limit).all()
