"""One small run, searched and retrained, with baselines: real parts throughout."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from moco.baselines import recipes_of, train_baselines
from moco.chosen.retrained import FOLDER, retrain
from moco.compare.judge import Judge, Plan
from moco.compare.searches import Found, architecture_search, chip_search
from moco.oracle.oracle import Oracle
from moco.recipes import recipe_for
from moco.runs.run import Run
from moco.runs.settings import RunSettings, SearchSettings
from moco.search.codesign import CodesignStudy, codesign_space
from moco.settings import FinalSettings, TrainSettings
from spaces import Genomes

OPTIONS = {"n_rows": 3000, "n_fields": 4, "n_dense": 0, "max_cardinality": 12}
SUPERNET = TrainSettings(epochs=4, learning_rate=5e-3, embedding_epochs=1, embedding_l2=1e-4, embedding_dropout=0.0)
FINAL = FinalSettings(epochs=2, batch_size=256, embedding_l2=1e-4, embedding_dropout=0.0)
N_EVALUATIONS = 30


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Its space and recipe are the small ones; `_small` gives them to runs that are opened again."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("compare")
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        this = Run(folder / "run", RunSettings(dataset="synthetic", options=OPTIONS))
        vars(this)["space"] = codesign_space(
            this.data, n_blocks=2, dense_dims=(8, 16), sparse_dims=(2, 4), embedding_dim=4
        )
        vars(this)["recipe"] = replace(recipe_for(this.data), supernet=SUPERNET, final=FINAL)
        study = this.study(SearchSettings(population_size=10))
        study.optimize(N_EVALUATIONS)
        chosen = list(zip(("one", "two"), study.front(), strict=False))
        retrain(this.whole_data, chosen, this.folder / FOLDER, settings=FINAL, seeds=(0, 1), n_jobs=1)
        file = this.folder / "baselines" / "baselines.json"
        recipes = recipes_of(this.whole_data, ("LR", "FM"), epochs=1)
        train_baselines(this.whole_data, recipes, file, seeds=(0, 1), n_jobs=1)
        return this


@pytest.fixture(autouse=True)
def _small(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(run.folder.parent / "cache"))
    for name in ("space", "recipe"):
        monkeypatch.setattr(Run, name, getattr(run, name))


@pytest.fixture(scope="session")
def study(run: Run) -> CodesignStudy:
    return run.stored_study()


@pytest.fixture(scope="session")
def judge(run: Run, study: CodesignStudy) -> Judge:
    return Judge.of(study, Oracle(run.supernet, run.data, n_jobs=1))


@pytest.fixture(scope="session")
def no_networks(run: Run) -> Genomes:
    return np.zeros((0, run.space.n_network_blocks), dtype=np.int64)


@pytest.fixture(scope="session")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    storage = tmp_path_factory.mktemp("searches") / "searches.db"
    return Plan(storage=storage, seed=3, n_evaluations=N_EVALUATIONS, engine="surrogate", population_size=10)


@pytest.fixture(scope="session")
def steps(run: Run, judge: Judge, plan: Plan, no_networks: Genomes) -> tuple[Found, Found, Found]:
    """First step, second step, and naive mapping."""
    first, whole = architecture_search(judge, plan, run.space, no_networks)
    return first, chip_search(judge, plan, run.space, first), whole
