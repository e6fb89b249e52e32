"""A small search, real from data to front: what the report is drawn from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from moco.chosen.choice import chosen_designs
from moco.chosen.trained import FromScratch
from moco.data import CtrDataset
from moco.data.synthetic import synthetic_dataset
from moco.report import ReportInputs
from moco.search.codesign import CodesignStudy, codesign_space, create_study
from moco.supernet import TrainedSupernet, TrainSettings, train_supernet
from spaces import CodesignSpace

HOSTILE_NAME = '<script>alert("x")</script> & <b>bold</b>'
N_TRIALS = 300


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small lose time to threads that wait for each other."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


@pytest.fixture(scope="session")
def data() -> CtrDataset:
    small = synthetic_dataset(n_rows=3000, n_fields=3, n_dense=2, max_cardinality=20)
    return replace(small, name=HOSTILE_NAME)


@pytest.fixture(scope="session")
def space(data: CtrDataset) -> CodesignSpace:
    return codesign_space(data, n_blocks=3, dense_dims=(4, 8), sparse_dims=(2, 4), embedding_dim=4)


@pytest.fixture(scope="session")
def supernet(data: CtrDataset, space: CodesignSpace) -> TrainedSupernet:
    return train_supernet(data, space.network, settings=TrainSettings(epochs=24, embedding_epochs=1), seed=0)


@pytest.fixture(scope="session")
def study(data: CtrDataset, space: CodesignSpace, supernet: TrainedSupernet) -> CodesignStudy:
    study = create_study("small", data, space, supernet, population_size=20, n_jobs=1)
    study.optimize(N_TRIALS)
    return study


@pytest.fixture(scope="session")
def inputs(study: CodesignStudy, supernet: TrainedSupernet) -> ReportInputs:
    """The first chosen design was trained with two seeds, the second with one, the others not."""
    chosen = chosen_designs(study.front())
    assert len(chosen) >= 3
    runs = [
        FromScratch(
            key=chosen[place][1].key,
            role=chosen[place][0],
            seed=seed,
            n_epochs=3,
            valid_logloss=0.5 + 0.1 * seed,
            valid_auc=0.7,
            test_logloss=0.6,
            test_auc=0.65,
        )
        for place, seed in ((0, 0), (0, 1), (1, 0))
    ]
    return ReportInputs(
        title="A small search",
        study=study,
        supernet=supernet,
        chosen=chosen,
        from_scratch=runs,
        settings={"engine": "nsga2"},
        seconds_by_stage={"supernet": 1.5, "search": 2.0},
    )
