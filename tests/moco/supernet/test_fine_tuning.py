"""Tuned layers: they learn their lessons, and leave the shared ones as they are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from moco.supernet.fine_tuning import Lesson, OwnLayers, fine_tuned
from moco.supernet.forward import Forward, Path
from moco.supernet.network import Supernet, features_first
from spaces.nasrec import nasrec_space

SPACE = nasrec_space(n_dense=2, n_sparse=4, n_blocks=3, dense_dims=(8, 16), sparse_dims=(2, 4), embedding_dim=8)
CARDINALITIES = (5, 7, 9, 11)


@pytest.fixture(scope="module")
def supernet() -> Supernet:
    return Supernet(SPACE, CARDINALITIES, seed=0)


@pytest.fixture(scope="module")
def lessons(supernet: Supernet) -> list[Lesson]:
    """40 batches of rows whose first field decides."""
    generator = torch.Generator().manual_seed(0)
    made = []
    for _ in range(40):
        ids = torch.stack([torch.randint(n, (64,), generator=generator) for n in CARDINALITIES], dim=1)
        dense = torch.randn(64, 2, generator=generator)
        with torch.no_grad():
            rows = features_first(supernet.embedding(ids))
        made.append(Lesson(dense.T.contiguous(), rows, (ids[:, 0] < 2).float()))
    return made


def loss(weights: Supernet | OwnLayers, path: Path, lesson: Lesson) -> float:
    with torch.no_grad():
        logits = Forward(path, weights, lesson.dense, lesson.rows).logits()
        return float(functional.binary_cross_entropy_with_logits(logits, lesson.labels))


def path_of(seed: int) -> Path:
    return Path.of(SPACE.networks(SPACE.canonical(SPACE.sample(np.random.default_rng(seed), 1)))[0])


@pytest.mark.parametrize("seed", range(4))
def test_tuned_layers_have_learned_and_shared_ones_are_as_they_were(
    supernet: Supernet, lessons: list[Lesson], seed: int
) -> None:
    path, before = path_of(seed), {name: value.clone() for name, value in supernet.state_dict().items()}
    with torch.no_grad():  # as an oracle scores
        tuned = fine_tuned(supernet, path, lessons[:-1])
    assert isinstance(tuned, OwnLayers)
    assert loss(tuned, path, lessons[-1]) < loss(supernet, path, lessons[-1])
    assert all(value.equal(before[name]) for name, value in supernet.state_dict().items())
    again = fine_tuned(supernet, path, lessons[:-1])
    assert isinstance(again, OwnLayers)
    assert all(one.equal(other) for one, other in zip(tuned.parameters, again.parameters, strict=True))


def test_without_lessons_or_with_infinite_losses_layers_are_the_shared_ones(
    supernet: Supernet, lessons: list[Lesson]
) -> None:
    assert fine_tuned(supernet, path_of(0), []) is supernet
    endless = Lesson(lessons[1].dense, torch.full_like(lessons[1].rows, torch.inf), lessons[1].labels)
    assert fine_tuned(supernet, path_of(0), [lessons[0], endless]) is supernet
