"""A run killed at every stage ends with the front of an unbroken one, and a finished run is found finished."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from moco.chosen.trained import valid_logloss
from moco.costs.batch import design_costs
from moco.data.logs import generate_log
from moco.oracle.truth import TRUTH, Truth
from moco.runs.budget import Budget
from moco.runs.promising import train_promising
from moco.runs.run import Run
from moco.runs.settings import RunSettings, SearchSettings
from moco.runs.stages import run
from moco.search.best_chip import GOALS, with_best_chip
from moco.search.codesign import codesign_space, create_study
from moco.search.least_energy import on_good_chips
from moco.training.from_scratch import train_from_scratch
from tests.moco.chips import is_lossless, product
from tests.moco.command_line import call

ARGUMENTS = (
    *("run", "synthetic", "--set", "n_rows=3000", "--set", "n_fields=4", "--set", "max_cardinality=20"),
    *("--epochs", "2", "--population", "10", "--trials", "40", "--check", "3", "--teacher", "1"),
)
DEADLINE_S = 300


def started(folder: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder.parent / "cache")}
    return subprocess.Popen(
        [sys.executable, "-m", "moco", *ARGUMENTS, "--out", str(folder)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def killed_when(folder: Path, is_time: Callable[[], bool]) -> bool:
    """Starts the run and kills it, with all its processes, as soon as `is_time`; False when it ended before."""
    process = started(folder)
    deadline = time.monotonic() + DEADLINE_S
    while process.poll() is None and not is_time():
        assert time.monotonic() < deadline
        time.sleep(0.005)
    was_running = process.poll() is None
    os.killpg(process.pid, signal.SIGKILL) if was_running else None
    process.communicate()
    return was_running


def finished(folder: Path) -> str:
    output, _ = (process := started(folder)).communicate(timeout=DEADLINE_S)
    assert process.returncode == 0, output.decode()
    return (folder / "front.json").read_text()


def n_trials(folder: Path) -> int:
    try:
        with sqlite3.connect(f"file:{folder / 'study.db'}?mode=ro", uri=True) as file:
            return int(file.execute("SELECT count(*) FROM moco_trials").fetchone()[0])
    except sqlite3.Error:
        return 0


def files(folder: Path) -> dict[str, int]:
    """When each result was written last."""
    suffixes = (".html", ".png", ".json", ".csv", ".safetensors")
    return {file.name: file.stat().st_mtime_ns for file in folder.iterdir() if file.suffix in suffixes}


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unbroken") / "run"
    finished(folder)
    return folder


def test_killed_at_every_stage(unbroken: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    kills = [
        killed_when(folder, (folder / "run.json").exists),
        killed_when(folder, (folder / "teacher").exists),
        killed_when(folder, (folder / "supernet.safetensors").exists),
        killed_when(folder, (folder / "truth.csv").exists),
        killed_when(folder, lambda: n_trials(folder) >= 10),
        killed_when(folder, (folder / "from_scratch.json").exists),
        killed_when(folder, (folder / "front_pairs.png").exists),
    ]
    assert all(kills[:5])  # the last stages are short, and may be over before the kill
    assert finished(folder) == (unbroken / "front.json").read_text()
    assert (folder / "validation.json").read_text() == (unbroken / "validation.json").read_text()
    assert (folder / "report.html").exists()


def test_all_that_is_trained_from_scratch_has_one_teacher(unbroken: Path) -> None:
    this = Run.reopen(unbroken)
    assert [file.name for file in (unbroken / "teacher").iterdir()] == ["DCNv2-0.safetensors"]
    assert this.lessons.digest != this.data.digest
    truth = Truth.read(unbroken, TRUTH)
    assert truth is not None
    assert truth.what["data"]["digest"] == this.lessons.digest
    (result, *_) = this.finals.from_scratch
    design = this.finals.find(this.stored_study(), result.key)
    again = train_from_scratch(this.lessons, design.architecture, settings=this.recipe.final, seed=result.seed)
    assert again.n_epochs == result.n_epochs
    assert "hand-made networks: 1" in (unbroken / "report.html").read_text()


def test_a_finished_run_is_found_finished(unbroken: Path) -> None:
    before = files(unbroken)
    assert {"report.html", "front.csv", "supernet.safetensors"} <= before.keys()
    finished(unbroken)
    assert files(unbroken) == before


def test_without_time_left_what_stands_out_is_trained_all_the_same(unbroken: Path, tmp_path: Path) -> None:
    """On chips that lose nothing, though the front that was searched has others."""
    folder = tmp_path / "run"
    shutil.copytree(unbroken, folder)
    (folder / "from_scratch.json").unlink()
    this = Run.reopen(folder)
    study = this.stored_study()
    space, column = study.space, study.space.hardware.column("activation_bits")
    few_bits = study.study.front().genomes.copy()
    few_bits[:, space.n_network_blocks + column] = 0
    study.add(space.canonical(few_bits))
    assert not all(is_lossless(design) for _, design in this.finals.chosen(study))
    least_logloss = min(one.logloss for one in on_good_chips(study)[0])
    train_promising(this, study, Budget(1, {"before": 3600.0}))
    trained = valid_logloss(this.finals.from_scratch)
    designs = [one for one in study.designs(study.study.trials()) if one.key in trained]
    assert 1 <= len(trained) == len(designs) <= 3
    assert all(is_lossless(one) for one in designs)
    assert min(one.logloss for one in designs) == least_logloss
    reached = valid_logloss(this.finals.results(study))
    assert reached[this.finals.chosen(study)[0][1].key] == min(reached.values())


def test_a_search_on_small_tables_costs_and_trains_full_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    generate_log("criteo", tmp_path / "train.txt", 3000)
    options = {"n_rows": 2000, "max_table_rows": 20, "min_count": 1}
    settings = RunSettings(dataset="criteo", path=str(tmp_path), options=options, search_rows=1000, n_epochs=1)
    this = Run(tmp_path / "run", settings)
    assert [len(this.data.train), len(this.whole_data.train)] == [800, 1600]
    assert max(this.data.cardinalities) <= 20
    assert max(this.whole_data.cardinalities) > 500
    hardware = {"table_memory": ("reram",)}
    space = codesign_space(this.data, n_blocks=1, dense_dims=(16,), sparse_dims=(4,), hardware=hardware)
    monkeypatch.setattr(Run, "space", space)
    study = this.study(SearchSettings(population_size=4))
    study.optimize(4)
    design = study.front()[0]
    assert design.cardinalities == this.whole_data.cardinalities
    genomes = study.study.front().genomes[:1]
    full = design_costs(this.data, space, genomes, cardinalities=this.whole_data.cardinalities)
    assert design.area_mm2 == full.estimate.area_mm2[0] != design_costs(this.data, space, genomes).estimate.area_mm2[0]
    with pytest.raises(
        ValueError, match="search_rows is for the logs 'criteo', 'avazu', 'kdd2012', got it for 'frappe'"
    ):
        RunSettings(dataset="frappe", search_rows=10)
    with pytest.raises(ValueError, match="cardinalities must name the table rows of each of the 26 categorical fields"):
        create_study("x", this.data, space, this.supernet, cardinalities=(3, 4))


def test_only_training_runs_in_several_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match="only training runs in several processes: 'torchrun -m moco train', then"):
        run(tmp_path, RunSettings(dataset="synthetic"), SearchSettings())


def test_a_budget_of_time_trains_promising_designs_and_judges_by_them(tmp_path: Path) -> None:
    options = {"n_rows": 2000, "n_fields": 4, "max_cardinality": 20}
    settings = RunSettings(dataset="synthetic", options=options)
    budget_s = 40
    started_s = time.monotonic()
    study = run(tmp_path / "run", settings, SearchSettings(population_size=20), hours=budget_s / 3600)
    assert time.monotonic() - started_s < 3 * budget_s
    this = Run.reopen(tmp_path / "run")
    assert this.settings.n_epochs is not None
    assert this.finals.from_scratch  # on a busy core one alone
    trained = valid_logloss(this.finals.results(study))
    chosen = this.finals.chosen(study)
    most_accurate = chosen[0][1]
    assert trained[most_accurate.key] == min(trained.values())
    if is_lossless(most_accurate):  # then it has its best chips in the study
        designs = this.finals.designs(study)
        alike = [one for one in designs if one.architecture == most_accurate.architecture and is_lossless(one)]
        for goal, figures in GOALS.items():
            best = with_best_chip(study, most_accurate, goal)
            assert product(best, figures) in [pytest.approx(product(one, figures)) for one in alike]
    assert {design.key for _, design in chosen} <= trained.keys()
    assert this.finals.find(study, "most accurate") == most_accurate
    front = this.finals.trained_front(study)
    assert trained[front[0].key] == min(trained.values())
    assert not any(
        trained[one.key] < trained[other.key] and one.energy_pj < other.energy_pj and one.latency_ns < other.latency_ns
        for one in front
        for other in front
    )
    shown = call("front", this.folder).stdout
    assert shown.index("supernet score") < shown.index("trained from scratch") < shown.index(front[0].key[:8])
    assert trained.keys() <= {design.key for design in this.finals.designs(study)}
    n_trained = len(this.finals.from_scratch)
    run(tmp_path / "run", settings, SearchSettings(population_size=20), hours=budget_s / 3600)
    assert len(this.finals.from_scratch) <= n_trained + 2 * len(os.sched_getaffinity(0))  # the time is over
