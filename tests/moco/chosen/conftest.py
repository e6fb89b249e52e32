"""A small co-design study."""

from __future__ import annotations

import pytest

from moco.data import load_dataset
from moco.design import Design
from moco.search.codesign import CodesignStudy, codesign_space, create_study
from moco.settings import TrainSettings
from moco.supernet import train_supernet


@pytest.fixture
def study() -> CodesignStudy:
    data = load_dataset("synthetic", n_rows=3000, n_fields=4, n_dense=2, max_cardinality=12)
    space = codesign_space(data, n_blocks=2, dense_dims=(8, 16), sparse_dims=(2, 4), embedding_dim=4)
    supernet = train_supernet(data, space.network, settings=TrainSettings(epochs=1, embedding_l2=1e-4), seed=0)
    study = create_study("x", data, space, supernet, n_jobs=1, population_size=20)
    study.optimize(20)
    return study


@pytest.fixture
def designs(study: CodesignStudy) -> list[Design]:
    return study.designs(study.study.trials())
