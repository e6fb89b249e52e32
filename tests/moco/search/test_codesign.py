"""Co-design studies: one canonical form one result, costs and scores where they belong, resumed exactly."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

import moco
from moco.costs.batch import design_costs
from moco.data import CtrDataset, load_dataset
from moco.oracle.correction import Correction
from moco.oracle.features import FEATURES
from moco.oracle.known_bias import KNOWN_BIAS
from moco.search.codesign import codesign_space, create_study
from moco.search.objectives import objectives
from moco.supernet import TrainedSupernet, TrainSettings, train_supernet
from pimmodel import lossless_adc_bits
from spaces import CodesignSpace, macs
from studies import Evaluation

HARDWARE = {"crossbar_size": (32, 64), "adc_bits": (5, 6, 7, 8)}


@pytest.fixture(scope="module")
def data() -> CtrDataset:
    return load_dataset("synthetic", n_rows=1500, n_fields=4, n_dense=2, max_cardinality=30)


@pytest.fixture(scope="module")
def space(data: CtrDataset) -> CodesignSpace:
    return codesign_space(data, n_blocks=3, dense_dims=(16, 32), sparse_dims=(4, 8), hardware=HARDWARE)


@pytest.fixture(scope="module")
def supernet(data: CtrDataset, space: CodesignSpace) -> TrainedSupernet:
    return train_supernet(data, space, settings=TrainSettings(epochs=1, embedding_epochs=0))


def test_one_canonical_form_gives_one_score_and_one_cost(
    data: CtrDataset, space: CodesignSpace, supernet: TrainedSupernet
) -> None:
    study = create_study("twins", data, space, supernet, n_jobs=1)
    genomes = space.sample(np.random.default_rng(0), 60)
    canonical = space.canonical(genomes)
    twins = (genomes != canonical).any(axis=1)
    assert twins.sum() > 30
    first, second = (study.evaluate(each[twins][:20]) for each in (genomes, canonical))
    np.testing.assert_array_equal(np.asarray(first.values), np.asarray(second.values))
    np.testing.assert_array_equal(np.asarray(first.constraints), np.asarray(second.constraints))
    raw = moco.Oracle(supernet, data, n_jobs=1).score(space.networks(genomes[twins][:20]))
    written = moco.Oracle(supernet, data, n_jobs=1).score(space.networks(canonical[twins][:20]))
    np.testing.assert_array_equal(raw.logloss, written.logloss)
    assert space.keys(genomes) == space.keys(canonical)
    study.study.tell(study.study.ask(3), study.evaluate(study.study.ask(3)))
    assert (study.study.trials().genomes == space.canonical(study.study.trials().genomes)).all()


def test_evaluation_is_oracle_and_hardware_model(
    data: CtrDataset, space: CodesignSpace, supernet: TrainedSupernet
) -> None:
    study = create_study("parts", data, space, supernet, n_jobs=1, max_area_mm2=2.0)
    genomes = space.canonical(space.sample(np.random.default_rng(1), 12))
    evaluation = study.evaluate(genomes)
    costs = design_costs(data, space, genomes)
    scores = moco.Oracle(supernet, data, n_jobs=1).score(
        space.networks(genomes), space.hardware_values(genomes)["table_bits"], costs.configs
    )
    values, constraints = np.asarray(evaluation.values), np.asarray(evaluation.constraints)
    np.testing.assert_array_equal(values[:, 0], scores.logloss)
    np.testing.assert_array_equal(values[:, 1], costs.estimate.energy_pj)
    np.testing.assert_array_equal(values[:, 2], costs.estimate.latency_ns)
    np.testing.assert_array_equal(constraints[:, 0], costs.estimate.area_mm2)
    needed = lossless_adc_bits(costs.configs.n_active_wordlines, costs.configs.dac_bits, costs.configs.cell_bits)
    shortfall = np.asarray(evaluation.attributes["adc_shortfall_bits"])
    np.testing.assert_array_equal(shortfall, needed - np.asarray(costs.configs.adc_bits))
    np.testing.assert_array_equal(np.asarray(evaluation.attributes["macs"]), macs(space.networks(genomes), 2, 4))
    by_component = np.asarray(evaluation.attributes["energy_by_component_pj"])
    np.testing.assert_allclose(by_component.sum(axis=1), values[:, 1], rtol=1e-12)


def test_front_keeps_its_constraints_and_its_order(
    data: CtrDataset, space: CodesignSpace, supernet: TrainedSupernet, tmp_path: Path
) -> None:
    study = create_study(
        "front", data, space, supernet, storage=tmp_path / "s.db", population_size=20, max_power_mw=800
    )
    study.optimize(60)
    designs = study.front()
    assert designs
    losses = [design.logloss for design in designs]
    assert losses == sorted(losses)
    for design in designs:
        assert design.power_mw <= 800
    trials = study.study.trials()
    assert [constraint.name for constraint in study.study.constraints] == ["power_mw"]
    feasible = trials.values[trials.is_feasible]
    for design in designs:
        own = np.array([design.logloss, design.energy_pj, design.latency_ns])
        assert not ((feasible <= own).all(axis=1) & (feasible < own).any(axis=1)).any()
    study.study.close()
    again = create_study(
        "front", data, space, supernet, storage=tmp_path / "s.db", population_size=20, max_power_mw=800
    )
    again.optimize(60)
    assert [design.key for design in again.front()] == [design.key for design in designs]


def test_a_study_of_other_data_space_or_model_is_refused(
    data: CtrDataset, space: CodesignSpace, supernet: TrainedSupernet, tmp_path: Path
) -> None:
    storage = tmp_path / "study.db"
    create_study("s", data, space, supernet, storage=storage).study.close()
    other_space = codesign_space(data, n_blocks=3, dense_dims=(16, 32), sparse_dims=(4, 8))
    with pytest.raises(ValueError, match=r"study 's' was made with space .*: give the study a new name"):
        create_study("s", data, other_space, supernet, storage=storage)
    retrained = train_supernet(data, space, settings=TrainSettings(epochs=1, embedding_epochs=0), seed=1)
    with pytest.raises(ValueError, match=r"study 's' was made with supernet .*new name"):
        create_study("s", data, space, retrained, storage=storage)
    other_data = load_dataset("synthetic", n_rows=1500, n_fields=4, n_dense=2, max_cardinality=30, seed=1)
    with pytest.raises(ValueError, match="the supernet was trained on data"):
        create_study("s", other_data, space, supernet, storage=storage)
    with pytest.raises(ValueError, match="max_energy_pj must be a positive number of pJ, got -1"):
        create_study("s", data, space, supernet, max_energy_pj=-1)


def test_reference_point(data: CtrDataset, space: CodesignSpace) -> None:
    logloss, energy, latency = objectives(data, space)
    mean = float(data.train.labels.mean())
    assert logloss.reference == pytest.approx(-mean * math.log(mean) - (1 - mean) * math.log(1 - mean))
    costs = design_costs(data, space, space.sample(np.random.default_rng(5), 4000))
    lossless = costs.adc_shortfall_bits <= 0
    for objective, values in ((energy, costs.estimate.energy_pj), (latency, costs.estimate.latency_ns)):
        assert objective.reference is not None
        assert (values[lossless] > objective.reference).mean() == pytest.approx(0.05, abs=0.02)


def test_a_space_opens_the_chip_but_what_is_settled(data: CtrDataset) -> None:
    chips = {block.name: block.choices for block in codesign_space(data).hardware.blocks}
    assert chips["activation_bits"] == (4, 6, 8)
    assert chips["adc_range"] == ("full-scale", "unit-step", "k-sigma")
    assert chips["weight_encoding"] == ("isaac",)
    narrower = codesign_space(data, hardware={"activation_bits": (4, 8)}).hardware
    assert {block.name: block.choices for block in narrower.blocks}["activation_bits"] == (4, 8)
    with pytest.raises(ValueError, match="no choice block 'adc'"):
        codesign_space(data, hardware={"adc": (1,)})


def test_exact_scores_of_designs(data: CtrDataset, space: CodesignSpace, supernet: TrainedSupernet) -> None:
    study = create_study("exact", data, space, supernet, n_jobs=1, population_size=6)
    study.optimize(6)
    designs = study.designs(study.study.trials())
    for design, exact in zip(designs, study.exact(designs, n_rows=len(data.valid)), strict=True):
        chip = design.hardware
        if lossless_adc_bits(chip.n_active_wordlines, chip.dac_bits, chip.cell_bits) <= chip.adc_bits:
            assert exact.logloss == pytest.approx(design.logloss, rel=1e-5)  # the first designs are hand-made ones
    assert design_costs(data, space, space.sample(np.random.default_rng(0), 1)).adc_shortfall_bits.shape == (1,)


def test_a_correction_moves_networks_and_adds_what_few_bits_cost(
    data: CtrDataset, space: CodesignSpace, supernet: TrainedSupernet
) -> None:
    plain = create_study("plain", data, space, supernet, n_jobs=1)
    known = plain.features(space.networks(space.canonical(space.sample(np.random.default_rng(4), 30))))
    sd = float(known[0].std())
    correction = Correction.fit(*known, KNOWN_BIAS.taken_off(*known, sd) - 0.01 * known[1][:, 0])
    genomes = space.canonical(space.sample(np.random.default_rng(3), 10))
    score, features = plain.features(space.networks(genomes))
    truth = KNOWN_BIAS.taken_off(score, features, sd) - 0.01 * features[:, 0]
    study = create_study("corrected", data, space, supernet, n_jobs=1, correction=correction)
    before, after = np.asarray(plain.evaluate(genomes).values), np.asarray(study.evaluate(genomes).values)
    np.testing.assert_array_equal(after[:, 1:], before[:, 1:])
    expected = correction.predict(score, features)[0]
    costs = design_costs(data, space, genomes)
    is_plain = costs.is_lossless  # there the score on the chip is corrected itself
    lost = correction.few_bits_loss(costs.configs.activation_bits)  # beyond what scores say of a chip
    assert 0 < (lost > 0).sum() < len(genomes)
    off = (after[:, 0] - expected) - (before[:, 0] - score) - lost
    assert 0 < is_plain.sum() < len(genomes)
    assert np.abs(off[~is_plain]).max() < 1e-12
    assert np.abs(off[is_plain]).max() < 2e-3
    assert np.corrcoef(after[:, 0] - before[:, 0] - lost, truth - score)[0, 1] > 0.9
    for asked, values in ((plain, before), (study, after)):  # what is stored need not be scored again
        told = asked.features(space.networks(genomes), np.where(is_plain, values[:, 0], np.nan))[0]
        np.testing.assert_allclose(told, np.where(is_plain, before[:, 0], score), rtol=1e-9)
    study.optimize(6)
    designs = study.designs(study.study.trials())
    exact = study.exact(designs, n_rows=len(data.valid)).logloss
    uncorrected = plain.exact(designs, n_rows=len(data.valid)).logloss
    genomes = study.study.trials().genomes
    before, after = (np.asarray(one.evaluate(genomes).values)[:, 0] for one in (plain, study))
    score, features = plain.features(space.networks(genomes))
    slope = correction.predict(np.array([1.0]), features[:1])[0] - correction.predict(np.array([0.0]), features[:1])[0]
    costs = design_costs(data, space, genomes)
    is_plain = costs.is_lossless  # what tables of few bits cost is corrected too
    beyond = np.where(is_plain, (slope - 1) * (before - score), 0)
    np.testing.assert_allclose(after - before, exact - uncorrected + beyond, atol=1e-9)


def test_a_study_with_another_correction_is_refused(
    data: CtrDataset, space: CodesignSpace, supernet: TrainedSupernet, tmp_path: Path
) -> None:
    storage = tmp_path / "s.db"
    create_study("s", data, space, supernet, storage=storage).study.close()
    features = np.zeros((3, len(FEATURES)))
    correction = Correction.fit(np.array([0.4, 0.5, 0.6]), features, np.array([0.4, 0.5, 0.6]))
    with pytest.raises(ValueError, match="correction"):
        create_study("s", data, space, supernet, storage=storage, correction=correction)


def test_an_evaluation_has_every_row(data: CtrDataset, space: CodesignSpace, supernet: TrainedSupernet) -> None:
    evaluation = create_study("rows", data, space, supernet, n_jobs=1).evaluate(
        space.sample(np.random.default_rng(2), 1)
    )
    assert isinstance(evaluation, Evaluation)
    assert np.asarray(evaluation.values).shape == (1, 3)
