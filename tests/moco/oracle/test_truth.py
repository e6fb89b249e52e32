"""Networks spread over cost, and truths that grow run by run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from moco.data import CtrDataset, load_dataset
from moco.oracle.spread import log_macs, spread_networks, typical_macs
from moco.oracle.truth import Truth, train_truth
from moco.settings import FinalSettings
from moco.training.from_scratch import train_from_scratch
from spaces.nasrec import NasrecSpace, nasrec_space
from spaces.space import Genomes

SETTINGS = FinalSettings(epochs=1, batch_size=128)
SPACE = nasrec_space(n_dense=2, n_sparse=3, n_blocks=3, dense_dims=(8, 16, 32), sparse_dims=(2, 4))


@pytest.fixture(scope="module")
def log() -> CtrDataset:
    return load_dataset("synthetic", n_rows=1000, n_fields=3, n_dense=2, max_cardinality=10)


@pytest.fixture(scope="module")
def genomes() -> Genomes:
    return spread_networks(SPACE, 4)


@pytest.mark.parametrize("space", [SPACE, nasrec_space(n_dense=0, n_sparse=10, weight_bits=(4, 8))])
def test_networks_are_spread_evenly_from_the_cheapest_to_the_largest(space: NasrecSpace) -> None:
    genomes = spread_networks(space, 20, seed=3)
    assert np.array_equal(space.canonical(genomes), genomes)
    cost = log_macs(space, genomes)
    sample = log_macs(space, space.sample(np.random.default_rng(0), 3000))
    assert cost[0] <= sample.min() + 0.1
    assert cost[-1] >= sample.max() - 0.1
    step = (cost[-1] - cost[0]) / 19
    assert np.diff(cost).max() < 3 * (cost[-1] - cost[0]) / 20
    assert np.abs(cost - np.linspace(cost[0], cost[-1], 20)).max() < 2 * step
    assert np.array_equal(genomes, spread_networks(space, 20, seed=3))


def test_a_spread_ends_where_it_is_told() -> None:
    space = SPACE
    typical = typical_macs(space)
    macs = np.expm1(log_macs(space, space.canonical(space.sample(np.random.default_rng(1), 2000))))
    assert 0.4 < (macs <= typical).mean() < 0.6
    cost = log_macs(space, spread_networks(space, 12, most_macs=typical))
    assert cost[-1] == pytest.approx(np.log1p(typical), abs=0.05)
    assert np.diff(cost).max() < 3 * (cost[-1] - cost[0]) / 11


def test_a_truth_is_what_training_from_scratch_says(log: CtrDataset, genomes: Genomes, tmp_path: Path) -> None:
    truth = train_truth(log, SPACE, genomes, (0, 1), tmp_path, "log", settings=SETTINGS, n_jobs=1)
    assert truth.figures().shape == (4, 2)
    assert sorted(map(tuple, truth.genomes.tolist())) == sorted(map(tuple, genomes.tolist()))
    again = Truth.read(tmp_path, "log")
    assert again is not None
    network = SPACE.networks(truth.genomes)[1]
    alone = train_from_scratch(log, network, settings=SETTINGS, seed=1)
    for name, value in (("valid_logloss", alone.valid.logloss), ("test_auc", alone.test.auc)):
        assert truth.figures(name)[1, 1] == again.figures(name)[1, 1] == pytest.approx(value, rel=1e-5)


def test_large_networks_may_be_trained_once(log: CtrDataset, genomes: Genomes, tmp_path: Path) -> None:
    few = train_truth(log, SPACE, genomes, (0, 1), tmp_path, "log", settings=SETTINGS, n_repeated=2, n_jobs=1)
    n_seeds = {tuple(genome): n for genome, n in zip(few.genomes, (~np.isnan(few.figures())).sum(axis=1), strict=True)}
    assert [n_seeds[tuple(genome)] for genome in genomes] == [2, 2, 1, 1]


def test_a_truth_goes_on_where_it_stopped(log: CtrDataset, genomes: Genomes, tmp_path: Path) -> None:
    first = train_truth(log, SPACE, genomes[:2], (0,), tmp_path, "log", settings=SETTINGS, n_jobs=1)
    counts: list[tuple[int, int]] = []
    second = train_truth(
        log,
        SPACE,
        genomes,
        (0,),
        tmp_path,
        "log",
        settings=SETTINGS,
        n_jobs=2,
        progress=lambda done, of: counts.append((done, of)),
    )
    assert counts == [(2, 4), (3, 4), (4, 4)]
    assert set(first.runs) < set(second.runs)
    unbroken = train_truth(log, SPACE, genomes, (0,), tmp_path, "another", settings=SETTINGS, n_jobs=1)
    assert second.runs == unbroken.runs
    (tmp_path / "log.csv").unlink()
    whole = train_truth(log, SPACE, genomes, (0,), tmp_path, "log", settings=SETTINGS, n_jobs=1)
    order = [whole.genomes.tolist().index(genome) for genome in second.genomes.tolist()]
    assert second.figures().tolist() == whole.figures()[order].tolist()


def test_another_recipe_is_refused(log: CtrDataset, genomes: Genomes, tmp_path: Path) -> None:
    train_truth(log, SPACE, genomes[:1], (0,), tmp_path, "log", settings=SETTINGS, n_jobs=1)
    other = FinalSettings(epochs=2, batch_size=128)
    with pytest.raises(ValueError, match=r"log\.csv is of settings .*'epochs': 1.*'epochs': 2.*take another name"):
        train_truth(log, SPACE, genomes[:1], (0,), tmp_path, "log", settings=other, n_jobs=1)


def test_settings_that_came_later_had_their_defaults(log: CtrDataset, genomes: Genomes, tmp_path: Path) -> None:
    first = train_truth(log, SPACE, genomes[:1], (0,), tmp_path, "log", settings=SETTINGS, n_jobs=1)
    header = json.loads((tmp_path / "log.json").read_text())
    del header["settings"]["monitor"]
    (tmp_path / "log.json").write_text(json.dumps(header))
    again = train_truth(log, SPACE, genomes[:1], (0,), tmp_path, "log", settings=SETTINGS, n_jobs=1)
    assert again == first
    with pytest.raises(ValueError, match=r"'monitor': 'logloss'.*'monitor': 'auc'"):
        train_truth(log, SPACE, genomes[:1], (0,), tmp_path, "log", settings=replace(SETTINGS, monitor="auc"), n_jobs=1)


def in_time(log: CtrDataset, genomes: Genomes, folder: Path, **terms: Any) -> Truth:
    """The networks that are trained with one seed while there is time."""
    return train_truth(log, SPACE, genomes, (0,), folder, "log", settings=SETTINGS, n_jobs=1, **terms)


@pytest.mark.parametrize(("largest_first", "places"), [(True, [3, 1]), (False, [0, 2])])
def test_when_time_is_over_those_done_are_spread(
    log: CtrDataset, genomes: Genomes, tmp_path: Path, largest_first: bool, places: list[int]
) -> None:
    n_done = [0]

    def is_over() -> bool:
        n_done[0] += 1
        return n_done[0] > 2

    truth = in_time(log, genomes, tmp_path, largest_first=largest_first, is_over=is_over)
    assert np.array_equal(truth.genomes, genomes[places])


@pytest.mark.parametrize(("seconds_left", "places"), [(1e6, [0, 2, 1, 3]), (1e-9, [0]), (0.0, [])])
def test_what_would_not_end_in_time_is_not_begun(
    log: CtrDataset, genomes: Genomes, tmp_path: Path, seconds_left: float, places: list[int]
) -> None:
    truth = in_time(log, genomes, tmp_path, largest_first=False, seconds_left=lambda: seconds_left)
    assert truth.genomes.tolist() == genomes[places].tolist()


@pytest.mark.parametrize("text", ["", "genome,seed\n1-2,0\n", "genome,seed,n_epochs\nx,y,z\n"])
def test_a_damaged_table_is_refused(log: CtrDataset, genomes: Genomes, tmp_path: Path, text: str) -> None:
    train_truth(log, SPACE, genomes[:1], (0,), tmp_path, "log", settings=SETTINGS, n_jobs=1)
    (tmp_path / "log.csv").write_text(text or "genome,seed\n,\n")
    with pytest.raises(ValueError, match="does not hold runs of training from scratch"):
        Truth.read(tmp_path, "log")


def test_no_truth(tmp_path: Path) -> None:
    assert Truth.read(tmp_path, "log") is None
