"""Baselines learn what is planted, repeat, go on where they stopped, and are the same on a chip that loses nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from moco.baselines import BASELINES, HAND_MADE, BaselineResult, HandMade, Structure, read_results, train_baselines
from moco.baselines.deep import DeepFm, DeepStructure, Dnn
from moco.baselines.recipes import FRAPPE, baseline_recipe
from moco.baselines.results import write_results
from moco.baselines.table import baseline_rows, baselines_csv, baselines_text
from moco.baselines.train import recipes_of, scores_on_chip, train_baseline
from moco.baselines.tuned import tuned_recipes
from moco.data import CtrDataset, load_dataset
from moco.settings import FinalSettings
from moco.supernet.average import Averaged
from moco.supernet.crossbars import ExactChip
from moco.supernet.loop import TrainProgress
from moco.supernet.metrics import mean_logloss
from moco.supernet.on_chip import NetworkOnChip
from moco.supernet.rows import TensorRows
from moco.training.from_scratch import TrainedNetwork, train_predictor
from pimmodel import PimConfig

SETTINGS = FinalSettings(epochs=6, batch_size=64, learning_rate=5e-3, embedding_l2=1e-4, embedding_dropout=0.0)
SHORT = FinalSettings(epochs=1, batch_size=64, learning_rate=3e-3, embedding_l2=1e-4, embedding_dropout=0.0)
CPU = torch.device("cpu")


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


@cache
def data(n_dense: int = 2) -> CtrDataset:
    return load_dataset("synthetic", n_rows=4000, n_fields=4, n_dense=n_dense, max_cardinality=12)


def small(name: str) -> Structure:
    """A baseline with narrow layers."""
    structure = BASELINES[name].network
    assert isinstance(structure, Structure)
    if name == "LR":
        return structure
    structure = replace(structure, embedding_dim=8)
    if name == "FinalMLP":
        return replace(structure, hidden=(40,), second_hidden=(20,), gate_hidden=(8,))
    if name == "AutoInt+":
        return replace(structure, n_layers=1, attention_dim=8, hidden=(32, 16))
    return replace(structure, hidden=(32, 16)) if isinstance(structure, DeepStructure) else structure


def fitted(structure: Structure, n_dense: int = 2, seed: int = 0) -> TrainedNetwork[HandMade]:
    network = HandMade(structure, data(n_dense).cardinalities, n_dense, seed)
    return train_predictor(data(n_dense), network, {}, settings=SETTINGS, seed=seed)


@cache
def trained(name: str) -> TrainedNetwork[HandMade]:
    return fitted(small(name))


@pytest.mark.parametrize("name", HAND_MADE)
def test_every_baseline_learns_but_not_more_than_there_is(name: str) -> None:
    chance = mean_logloss(float(data().test.labels.mean()))
    best = data().best_logloss
    assert best is not None
    result = trained(name)
    assert best < result.test.logloss < 0.99 * chance
    assert result.test.auc > 0.6


def test_pairs_are_for_those_that_multiply() -> None:
    # Half of what can be known is planted in pairs: a sum over fields cannot tell them.
    linear = trained("LR").test.logloss
    for name in ("FM", "DeepFM", "DCNv2", "xDeepFM"):
        assert trained(name).test.logloss < linear - 0.02


@pytest.mark.parametrize("name", ["FM", "DeepFM", "AutoInt+", "FinalMLP", "DLRM"])
def test_no_dense_fields(name: str) -> None:
    result = fitted(small(name), n_dense=0)
    assert result.test.logloss < 0.99 * mean_logloss(float(data(0).test.labels.mean()))


@pytest.mark.parametrize("name", HAND_MADE)
def test_a_chip_that_loses_nothing_computes_the_same(name: str) -> None:
    network = trained(name).network.rounded(8)
    rows = TensorRows.of(data().test, CPU)
    chip = PimConfig(adc_bits=12, activation_bits=12, table_bits=32)
    on_chip = NetworkOnChip(network, chip, TensorRows.of(data().train, CPU))
    with torch.no_grad():
        plain = network(rows.ids, rows.dense)
        logits = on_chip._logits(on_chip._modelled, rows.ids, rows.dense)
    assert float((logits - plain).std()) < 0.03 * float(plain.std())


@pytest.mark.parametrize("name", ["DeepFM", "AutoInt+", "FinalMLP"])
def test_products_are_computed_slice_by_slice_too(name: str) -> None:
    network = trained(name).network.rounded(8)
    on_chip = NetworkOnChip(network, PimConfig(adc_bits=7), TensorRows.of(data().train, CPU))
    rows = TensorRows.of(data().test, CPU)
    with torch.no_grad():
        plain = network(rows.ids, rows.dense)
        model, exact = (
            float((on_chip._logits(chip, rows.ids, rows.dense) - plain).std())
            for chip in (on_chip._modelled, ExactChip(on_chip._modelled))
        )
    assert exact > 0.01 * float(plain.std())
    assert exact / 2 < model < 5 * exact


@pytest.mark.parametrize("name", HAND_MADE)
def test_eight_bits_on_isaac_lose_little(name: str) -> None:
    _, test = scores_on_chip(trained(name).network, data())
    assert test.auc == pytest.approx(trained(name).test.auc, abs=0.02)


class Stopped(Exception):
    """A training that is killed."""


@pytest.mark.parametrize("average_share", [0.0, 0.1])
def test_a_stopped_training_goes_on_as_if_it_had_not(tmp_path: Path, average_share: float) -> None:
    # Dropout, batch statistics and their count must all be taken up.
    structure = DeepFm(embedding_dim=4, hidden=(16, 8), dropout=0.3)
    settings = replace(SETTINGS, epochs=3, average_share=average_share, embedding_dropout=0.1)
    file = tmp_path / "deepfm.safetensors"

    def train(checkpoint: Path | None, n_rows: int | None = None) -> TrainedNetwork[HandMade]:
        def stop(state: TrainProgress) -> None:
            if n_rows is not None and state.n_rows > n_rows:
                raise Stopped

        network = HandMade(structure, data().cardinalities, 2, seed=3)
        return train_predictor(
            data(), network, {"name": "DeepFM"}, settings=settings, seed=3, checkpoint=checkpoint, progress=stop
        )

    whole = train(None)
    with pytest.raises(Stopped):
        train(file, n_rows=2 * 3200 + 1000)
    torch.manual_seed(99)  # what torch draws elsewhere changes nothing
    resumed = train(file)
    assert resumed.history == whole.history
    assert all(value.equal(resumed.weights[name]) for name, value in whole.weights.items())


def test_averaged_weights_get_statistics_of_their_own() -> None:
    network = HandMade(Dnn(embedding_dim=4, hidden=(8,)), data().cardinalities, 2, seed=0)
    rows = TensorRows.of(data().train, CPU)
    batches = [rows.take(np.arange(start, start + 64)) for start in range(0, 5 * 64, 64)]
    averaged = Averaged(network, n_steps=4)
    for batch in batches:
        network(batch.ids, batch.dense)
        averaged.update()
    average = averaged.module
    average.renew_statistics(batches)
    inputs = []  # the fields' rows, then each dense field's vector times its value
    with torch.no_grad():
        for batch in batches:
            dense = batch.dense[:, :, None] * average.weights["dense_vectors"]
            inputs.append(torch.cat([average.embedding(batch.ids), dense], dim=1).flatten(1))
        layers = [x @ average.weights["deep_1_weight"].T for x in inputs]
    for name, statistic in (("mean", torch.mean), ("variance", torch.var)):
        expected = torch.stack([statistic(layer, dim=0) for layer in layers]).mean(dim=0)
        torch.testing.assert_close(average.statistics[f"deep_1_{name}"].data, expected, rtol=1e-4, atol=1e-5)
    assert not network.statistics["deep_1_mean"].equal(average.statistics["deep_1_mean"])
    assert int(network.n_training_steps) == 5


def test_seeds_repeat_and_differ() -> None:
    first, again, other = (train_baseline(data(), "FM", settings=SHORT, seed=seed).test for seed in (1, 1, 2))
    assert first == again != other


def test_trainings_are_kept_and_not_repeated(tmp_path: Path) -> None:
    file = tmp_path / "baselines.json"
    seen: list[tuple[float, float]] = []
    recipes = recipes_of(data(), ["LR", "FM"], settings=SHORT)
    first = train_baselines(data(), recipes, file, seeds=(0, 1), n_jobs=1, progress=lambda *n: seen.append(n))
    assert [(one.name, one.seed) for one in first] == [("LR", 0), ("LR", 1), ("FM", 0), ("FM", 1)]
    assert seen[0] == (0, 4)
    assert seen[-1] == (4, 4)
    assert [path.name for path in tmp_path.iterdir()] == ["baselines.json"]
    assert {(one.name, one.seed) for one in read_results(file, data())} == {(one.name, one.seed) for one in first}
    plain = train_baseline(data(), "FM", settings=SHORT, seed=1)
    assert (first[3].test_auc, first[3].valid_logloss) == (plain.test.auc, plain.valid.logloss)
    assert first[3].rows_per_s > 0

    of_fm = {"FM": recipes["FM"]}
    before = file.read_bytes()
    assert train_baselines(data(), of_fm, file, seeds=(1,), n_jobs=1) == [first[3]]
    assert file.read_bytes() == before
    more = train_baselines(data(), of_fm, file, seeds=(1, 2), n_jobs=1)
    assert more[0] == first[3]
    assert len(read_results(file, data())) == 5


def test_taught_baselines_stand_beside_those_that_learned_from_labels(tmp_path: Path) -> None:
    file, recipes = tmp_path / "baselines.json", recipes_of(data(), ["LR", "FM"], settings=SHORT)
    log = data()
    soft = replace(log, train=replace(log.train, labels=(log.train.labels + 0.5) / 2))
    plain = train_baselines(log, recipes, file, seeds=(0,), n_jobs=1)
    learned = train_baselines(log, recipes, file, seeds=(0,), lessons=soft, n_jobs=1)
    assert [one.label for one in learned] == ["LR, taught", "FM, taught"]
    assert {one.lessons for one in learned} == {soft.digest}
    expected = train_baseline(soft, "FM", settings=SHORT).test
    assert (learned[1].test_auc, learned[1].test_logloss) == (expected.auc, expected.logloss)
    assert learned[1].test_logloss != plain[1].test_logloss
    assert read_results(file, log) == [*plain, *learned]
    assert train_baselines(log, recipes, file, seeds=(0,), n_jobs=1) == plain
    assert train_baselines(log, recipes, file, seeds=(0,), lessons=log, n_jobs=1) == plain  # its own labels
    assert [row.name for row in baseline_rows([*plain, *learned], log)] == ["LR", "FM", "LR, taught", "FM, taught"]
    softer = replace(log, train=replace(log.train, labels=(log.train.labels + 1.5) / 4))
    with pytest.raises(ValueError, match="holds LR, taught, seed 0, trained with other settings"):
        train_baselines(log, recipes, file, seeds=(0,), lessons=softer)
    assert [path.name for path in tmp_path.iterdir()] == ["baselines.json"]


def test_every_baseline_is_tuned_alike(tmp_path: Path) -> None:
    recipes = recipes_of(data(), ["LR", "FM"], settings=SHORT, epochs=2)
    seen: list[tuple[float, float]] = []
    tuned = tuned_recipes(data(), recipes, 3, tmp_path, n_jobs=1, progress=lambda *n: seen.append(n))
    assert seen[-1] == (6, 6)
    for name, recipe in recipes.items():
        given, best = (train_baseline(data(), name, settings=one.final).valid.logloss for one in (recipe, tuned[name]))
        assert best <= given
        assert tuned[name].network == recipe.network
        assert (tuned[name].final.epochs, tuned[name].final.batch_size) == (2, SHORT.batch_size)
    assert tuned != recipes  # of three trainings each, one at least is better than the first
    assert tuned_recipes(data(), recipes, 3, tmp_path, n_jobs=1) == tuned
    others = recipes_of(data(), ["LR"], settings=SHORT)
    with pytest.raises(ValueError, match="holds a tuning of something else"):
        tuned_recipes(data(), others, 3, tmp_path, n_jobs=1)


def test_published_networks_are_trained_alike() -> None:
    result = train_baseline(data(), "NASRec kdd2012-small", settings=replace(SHORT, batch_size=256))
    assert 0 < result.test.logloss < 1
    assert scores_on_chip(result.network, data())[1].auc == pytest.approx(result.test.auc, abs=0.05)


def test_results_of_something_else_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "baselines.json"
    assert read_results(file, data()) == []
    for text in ("{", "[]", "3", '{"format": "moco baselines 0"}', '{"format": "moco baselines 1", "data": ""}'):
        file.write_text(text)
        with pytest.raises(ValueError, match="does not hold results of baselines"):
            read_results(file, data())
    write_results(file, data(), [result("LR", 0)])
    with pytest.raises(ValueError, match=r"holds results on data \w+ .*, this data is \w+"):
        read_results(file, data(0))
    with pytest.raises(ValueError, match="holds LR, seed 0, trained with other settings"):
        train_baselines(data(), recipes_of(data(), ["LR"]), file, seeds=(0,))
    held = json.loads(file.read_text())
    del held["results"][0]["test_auc"]
    file.write_text(json.dumps(held))
    with pytest.raises(ValueError, match="does not hold results of baselines"):
        read_results(file, data())
    with pytest.raises(ValueError, match="unknown baseline 'nonesuch'"):
        recipes_of(data(), ["nonesuch"])


def result(name: str, seed: int, test_auc: float = 0.75) -> BaselineResult:
    scores = {
        f"{chip}{part}_{figure}": 0.5
        for chip in ("", "chip_")
        for part in ("valid", "test")
        for figure in ("logloss", "auc")
    }
    return BaselineResult(
        name=name, seed=seed, recipe="", n_epochs=1, **{**scores, "test_auc": test_auc}, seconds=1.0, rows_per_s=10.0
    )


def test_the_table_has_means_and_deviations_over_seeds() -> None:
    results = [result("LR", 0, 0.70), result("LR", 1, 0.72), result("DeepFM", 0)]
    linear, deep = baseline_rows(results, data())
    assert linear.test_auc == pytest.approx(0.71)
    assert linear.test_auc_sd == pytest.approx(np.sqrt(2) / 100)
    assert np.isnan(deep.test_auc_sd)
    assert linear.published is None
    text = baselines_text([linear, deep]).splitlines()
    assert text[1].split()[:3] == ["LR", "0.7100+-0.0141", "0.5000+-0.0000"]
    assert text[2].split()[:3] == ["DeepFM", "0.7500", "0.5000"]
    assert len({len(line) for line in text}) == 1
    lines = baselines_csv([linear, deep]).splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("name,n_seeds,test_auc,test_auc_sd,")
    assert ",nan" not in lines[2]
    frappe = baseline_rows(results, replace(data(), name="Frappe_x1, train negatives re-sampled"))
    assert frappe[1].published == BASELINES["DeepFM"].frappe


def test_recipes() -> None:
    assert set(FRAPPE) == set(HAND_MADE)
    frappe = replace(data(), name="Frappe_x1")
    digests = {name: baseline_recipe(name, frappe).digest for name in BASELINES}
    assert len(set(digests.values())) == len(BASELINES)
    assert baseline_recipe("DeepFM", data()).digest != digests["DeepFM"]
    deep = baseline_recipe("DCNv2", frappe).network
    assert isinstance(deep, DeepStructure)
    assert deep.dropout == FRAPPE["DCNv2"].dropout
