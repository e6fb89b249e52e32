"""`moco retrain`: chooses designs of a run's front, trains them, and says in a table what they reached."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from moco.chosen.promising import SAME_LOGLOSS
from moco.costs.batch import Costs
from moco.design import Design
from moco.progress import Bar
from moco.recipes import recipe_for
from moco.runs.run import Run
from moco.runs.settings import RunSettings, SearchSettings
from moco.search.best_chip import GOALS, with_best_chip
from moco.search.codesign import codesign_space
from moco.settings import FinalSettings, TrainSettings
from tests.moco.chips import is_lossless, product
from tests.moco.command_line import call

OPTIONS = {"n_rows": 1500, "n_fields": 4, "n_dense": 2, "max_cardinality": 12}


def retrain(*arguments: object) -> str:
    """What `moco retrain` prints."""
    return call("retrain", *arguments).stdout


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with a search, in a small space and with short trainings."""
    this = Run(tmp_path_factory.mktemp("run"), RunSettings(dataset="synthetic", options=OPTIONS))
    space = codesign_space(this.data, n_blocks=2, dense_dims=(8, 16), sparse_dims=(2, 4), embedding_dim=4)
    vars(this)["space"] = space
    supernet = TrainSettings(epochs=3, learning_rate=5e-3, embedding_epochs=1, embedding_l2=1e-4, embedding_dropout=0.0)
    final = FinalSettings(epochs=2, batch_size=128, embedding_l2=1e-4, embedding_dropout=0.0)
    vars(this)["recipe"] = replace(recipe_for(this.data), supernet=supernet, final=final)
    this.study(SearchSettings(population_size=10)).optimize(20)
    return this


@pytest.fixture(autouse=True)
def _small(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("space", "recipe"):
        monkeypatch.setattr(Run, name, getattr(run, name))


def test_tuned_and_taught(run: Run) -> None:
    arguments = (run.folder, "--design", 1, "--seeds", 2, "--plain", "--start", "scratch", "--tune", 2, "--teacher", 1)
    printed = retrain(*arguments)
    (design,) = printed.splitlines()[1:]
    assert design.split()[1:3] == ["1", "2"]
    assert design.endswith("2 scratch, taught")
    key = run.stored_study().front()[0].key[:12]
    files = {file.name for file in (run.folder / "retrained").glob("*.safetensors")}
    assert files == {f"{key}-{seed}-scratch-taught.safetensors" for seed in (0, 1)}
    assert {file.name for file in (run.folder / "teacher").iterdir()} == {"DCNv2-0.safetensors"}
    assert retrain(*arguments).splitlines()[-1] == design


def test_the_most_accurate_under_a_cap_from_both_starts(run: Run) -> None:
    front = run.stored_study().front()
    cap = sorted(design.energy_pj for design in front)[len(front) // 2]
    expected = min((one for one in front if one.energy_pj <= cap), key=lambda one: one.logloss)
    (design,) = retrain(run.folder, "--max-energy-pj", cap, "--seeds", 1, "--plain").splitlines()[1:]
    assert design.startswith(expected.key[:8])
    assert "most accurate under caps" in design
    starts = {file.stem.split("-", 2)[2] for file in (run.folder / "retrained").glob(f"{expected.key[:12]}-0-*")}
    assert {"scratch", "supernet"} <= starts


def test_a_network_on_the_chip_that_is_best_in_one_thing(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = run.stored_study()
    own = next(design for design in study.front() if is_lossless(design))
    for goal, figures in GOALS.items():
        file = tmp_path / f"{goal}.json"
        file.write_text(call("front", run.folder, "--design", own.key, "--chip", goal).stdout)
        found = Design.from_json(file.read_text())
        assert found.architecture == own.architecture
        assert is_lossless(found)
        assert product(found, figures) <= product(own, figures)
        assert found.logloss == pytest.approx(own.logloss, abs=SAME_LOGLOSS)
        totals = json.loads(call("cost", file, "--json").stdout)["totals"]
        assert [totals[name] for name in figures] == pytest.approx([getattr(found, name) for name in figures])
    (row,) = retrain(run.folder, "--design", own.key, "--chip", "balance", "--seeds", 1, "--plain").splitlines()[1:]
    assert row.startswith(found.key[:8])
    assert "balanced" in row
    monkeypatch.setattr(Costs, "is_lossless", property(lambda costs: np.zeros(len(costs.macs), dtype=bool)))
    with pytest.raises(ValueError, match=f"the chip of design {own.key[:8]} loses something or breaks a cap"):
        with_best_chip(study, own, "energy")


def test_a_teacher_has_progress_of_its_own_before_what_it_teaches(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    shown, depth = [], [0]

    @contextmanager
    def bar(title: str, unit: str) -> Iterator[Bar]:
        shown.append(title)
        depth[0] += 1
        assert depth[0] == 1, "a bar within a bar"
        yield Bar(title, unit, None, None)
        depth[0] -= 1

    monkeypatch.setattr(Run, "recipe", replace(run.recipe, n_teachers=1))
    for module in ("moco.runs.run", "moco.runs.finals"):
        monkeypatch.setattr(f"{module}.progress_bar", bar)
    this = Run.reopen(run.folder)
    this.finals.train_chosen(this.stored_study())
    assert shown[-2:] == ["teacher", "training from scratch"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--seeds", 0), "--seeds must be at least 1 and --tune 0 or more, got 0 and 0"),
        (("--start", "zero"), "--start must be 'both' or 'scratch', got 'zero'"),
        (("--design", "1", "--max-energy-pj", "9"), "--design names designs, caps choose one: give one or the other"),
        (("--design", "1", "--chip", "speed"), "a chip is best in energy, latency, area, balance, got 'speed'"),
        (("--design", "zz"), "0 designs have a key that begins with 'zz'"),
        (("--max-latency-ns", "0.001"), "no design of the front stays below 0.001 ns: the least on it are"),
    ],
)
def test_bad_input(run: Run, arguments: tuple[object, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        retrain(run.folder, *arguments)


def test_a_folder_without_a_run(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no run"):
        retrain(tmp_path)
