"""Rounds of pruning: work falls as wanted, every round is kept, the same arguments give the same networks."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from moco.data import CtrDataset, load_dataset
from moco.design import Design
from moco.pruning import (
    CRITERIA,
    WAYS,
    PruningCurve,
    PruningSettings,
    PruningStart,
    curve_csv,
    curve_table,
    prune,
    read_round,
    round_file,
)
from moco.pruning.figure import pruning_figure
from moco.report.figures import png
from moco.settings import FinalSettings
from moco.supernet.checkpoint import CheckpointError
from moco.supernet.metrics import score_of
from moco.supernet.network import Network
from moco.supernet.rows import rows_on

QUICK = PruningSettings(n_rounds=2, share=0.3, for_chip=False)


def pruned_with(
    data: CtrDataset,
    design: Design,
    start: PruningStart,
    folder: Path,
    settings: FinalSettings,
    pruning: PruningSettings = QUICK,
) -> PruningCurve:
    return prune(data, design, [start], folder, pruning, settings=settings, n_jobs=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pruned")


@pytest.fixture(scope="module")
def curve(data: CtrDataset, design: Design, start: PruningStart, folder: Path, settings: FinalSettings) -> PruningCurve:
    return pruned_with(data, design, start, folder, settings)


def test_each_round_removes_its_share(curve: PruningCurve, design: Design) -> None:
    assert [one.number for one in curve.rounds] == [0, 1, 2]
    whole, *others = curve.rounds
    assert (whole.macs, whole.n_parameters) == (design.macs, design.n_parameters)
    assert whole.energy_pj == pytest.approx(design.energy_pj)
    assert whole.area_mm2 == pytest.approx(design.area_mm2)
    for number, one in enumerate(others, start=1):
        # One neuron may take up to a tenth of the products of this small network with it.
        assert 0.85 * 0.7**number * whole.macs < one.macs <= 0.7**number * whole.macs
    for quantity in ("energy_pj", "latency_ns", "n_parameters", "n_units"):
        values = [getattr(one, quantity) for one in curve.rounds]
        assert values[0] > values[1] > values[2], quantity


def test_every_round_is_kept(
    curve: PruningCurve, data: CtrDataset, design: Design, start: PruningStart, folder: Path
) -> None:
    assert {file.name for file in folder.iterdir()} == {
        round_file(folder, design, QUICK, start.seed, number).name for number in (1, 2)
    }
    for one in curve.rounds[1:]:
        stored = read_round(round_file(folder, design, QUICK, start.seed, one.number))
        assert stored.network.kept == one.kept
        assert stored.network.cut.macs == one.macs
        assert score_of(stored.network, rows_on(data.test, torch.device("cpu"))) == one.test
        assert one.test.auc > 0.6
        assert abs(one.chip_test.logloss - one.test.logloss) < 0.05


def test_resumed_it_is_the_unbroken_one(
    curve: PruningCurve,
    data: CtrDataset,
    design: Design,
    start: PruningStart,
    folder: Path,
    settings: FinalSettings,
    tmp_path: Path,
) -> None:
    assert pruned_with(data, design, start, folder, settings) == curve
    first = pruned_with(data, design, start, tmp_path, settings, replace(QUICK, n_rounds=1))
    assert first.rounds == curve.rounds[:2]
    second = pruned_with(data, design, start, tmp_path, settings)
    assert second == curve
    for number in (1, 2):
        file = round_file(tmp_path, design, QUICK, start.seed, number)
        assert file.read_bytes() == (folder / file.name).read_bytes()


@pytest.mark.parametrize("stopped", ["gates", "training"])
def test_a_broken_round_goes_on(
    data: CtrDataset,
    design: Design,
    start: PruningStart,
    settings: FinalSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stopped: str,
) -> None:
    pruning = replace(QUICK, criterion="learned-mask", n_rounds=1)
    unbroken = pruned_with(data, design, start, tmp_path / "unbroken", settings, pruning)
    n_written = 0
    suffix = ".gates-training" if stopped == "gates" else ".training"

    def break_off(self: Path, target: Path) -> Path:
        nonlocal n_written
        moved = replace_file(self, target)
        if target.suffix == suffix:
            n_written += 1
            raise KeyboardInterrupt
        return moved

    replace_file = Path.replace
    monkeypatch.setattr(Path, "replace", break_off)
    with pytest.raises(KeyboardInterrupt):
        pruned_with(data, design, start, tmp_path / "broken", settings, pruning)
    monkeypatch.undo()
    assert n_written == 1
    assert any(file.suffix == suffix for file in (tmp_path / "broken").iterdir())
    assert pruned_with(data, design, start, tmp_path / "broken", settings, pruning) == unbroken
    assert [file.suffix for file in (tmp_path / "broken").iterdir()] == [".safetensors"]


@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize("way", WAYS)
def test_every_criterion_and_way_for_the_chip(
    data: CtrDataset,
    design: Design,
    start: PruningStart,
    settings: FinalSettings,
    tmp_path: Path,
    criterion: str,
    way: str,
) -> None:
    quick = replace(settings, epochs=1)
    pruning = PruningSettings(criterion=criterion, way=way, n_rounds=1)
    before = {name: weight.clone() for name, weight in start.trained.state_dict().items()}
    found = pruned_with(data, design, start, tmp_path, quick, pruning)
    assert all(torch.equal(before[name], weight) for name, weight in start.trained.state_dict().items())
    assert found.rounds[1].macs <= 0.8 * found.rounds[0].macs
    assert found.rounds[1].chip_test.auc > 0.5


def test_several_seeds_are_each_of_them(
    curve: PruningCurve, data: CtrDataset, design: Design, start: PruningStart, settings: FinalSettings, tmp_path: Path
) -> None:
    one_round = replace(QUICK, n_rounds=1)
    starts = [start, PruningStart(7, start.trained)]
    told: list[tuple[float, float]] = []
    found = prune(
        data, design, starts, tmp_path, one_round, settings=settings, n_jobs=1, progress=lambda *now: told.append(now)
    )
    assert [(one.seed, one.number) for one in found.rounds] == [(0, 0), (0, 1), (7, 0), (7, 1)]
    assert found.rounds[:2] == curve.rounds[:2]
    assert found.rounds[3].macs == found.rounds[1].macs  # by magnitude, of the same weights
    assert found.rounds[3].valid != found.rounds[1].valid
    assert (told[0], told[-1]) == ((0, 2), (2, 2))


def test_rewound_networks_start_from_the_first_weights(
    data: CtrDataset, design: Design, start: PruningStart, settings: FinalSettings, tmp_path: Path
) -> None:
    pruning = replace(QUICK, way="rewind", n_rounds=1)
    one_step = replace(settings, learning_rate=1e-12, epochs=1, embedding_l2=0)
    drawn = Network(design.architecture, design.cardinalities, design.n_dense, start.seed)
    pruned_with(data, design, start, tmp_path, one_step, pruning)
    stored = read_round(round_file(tmp_path, design, pruning, start.seed, 1)).network
    torch.testing.assert_close(stored.embedding.table, drawn.embedding.table, atol=1e-6, rtol=0)
    rows = torch.tensor(stored.kept["b1_fc"])
    torch.testing.assert_close(stored.weights["b1_fc_weight"], drawn.weights["b1_fc_weight"][rows], atol=1e-6, rtol=0)


def test_a_curve_ends_where_nothing_can_be_removed(
    data: CtrDataset, design: Design, start: PruningStart, settings: FinalSettings, tmp_path: Path
) -> None:
    quick = replace(settings, epochs=1, batch_size=1000)
    found = pruned_with(data, design, start, tmp_path, quick, replace(QUICK, share=0.9, n_rounds=5))
    last = found.rounds[-1]
    assert last.number < 5
    assert min(len(units) for units in last.kept.values()) == 1


def test_table_csv_json_and_picture(curve: PruningCurve) -> None:
    lines = curve_table(curve).splitlines()
    assert [line.split()[0] for line in lines[:4]] == ["round", "0", "1", "2"]
    rows = list(csv.DictReader(io.StringIO(curve_csv(curve))))
    assert [float(row["macs"]) for row in rows] == [one.macs for one in curve.rounds]
    assert json.loads(curve.to_json())["rounds"][2]["chip_test"]["auc"] == curve.rounds[2].chip_test.auc
    assert png(pruning_figure(curve)) == png(pruning_figure(curve))
    several = replace(curve, rounds=(*curve.rounds, *(replace(one, seed=1) for one in curve.rounds)))
    assert "± 0.0000" in curve_table(several)


def test_damaged_and_foreign_files_are_refused(
    curve: PruningCurve,
    data: CtrDataset,
    design: Design,
    start: PruningStart,
    folder: Path,
    settings: FinalSettings,
    tmp_path: Path,
) -> None:
    file = round_file(tmp_path, design, QUICK, start.seed, 1)
    whole = round_file(folder, design, QUICK, start.seed, 1).read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match="damaged or cut short"):
        pruned_with(data, design, start, tmp_path, settings)
    file.write_bytes(whole)
    with pytest.raises(CheckpointError, match="of other weights, data or settings"):
        pruned_with(data, design, start, tmp_path, replace(settings, epochs=5))
    other = Network(design.architecture, design.cardinalities, design.n_dense, 5)
    with pytest.raises(CheckpointError, match="of other weights, data or settings"):
        pruned_with(data, design, PruningStart(0, other), tmp_path, settings)


def test_bad_input(data: CtrDataset, design: Design, start: PruningStart, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unknown criterion 'size'; criteria are 'magnitude', 'learned-mask'"):
        PruningSettings(criterion="size")
    with pytest.raises(ValueError, match="unknown way 'again'; ways are 'fine-tune', 'rewind'"):
        PruningSettings(way="again")
    with pytest.raises(ValueError, match="share must be at least"):
        PruningSettings(share=1.0)
    with pytest.raises(ValueError, match="n_rounds must be at least 1"):
        PruningSettings(n_rounds=0)
    with pytest.raises(ValueError, match="at least one trained network"):
        prune(data, design, [], tmp_path)
    with pytest.raises(ValueError, match="a seed of its own"):
        prune(data, design, [start, start], tmp_path)
    other = load_dataset("synthetic", n_rows=500, n_fields=3, n_dense=2, max_cardinality=12)
    with pytest.raises(ValueError, match="other fields or table sizes"):
        prune(other, design, [start], tmp_path)
    smaller = replace(design.architecture, blocks=design.architecture.blocks[:1])
    network = Network(smaller, design.cardinalities, design.n_dense, 0)
    with pytest.raises(ValueError, match="network of seed 1 is not of the design's architecture"):
        prune(data, design, [PruningStart(1, network)], tmp_path)
