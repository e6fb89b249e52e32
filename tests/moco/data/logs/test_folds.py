import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedKFold

from moco.data.logs.folds import parts_of, stratified_folds
from moco.data.rows import DataError


def sklearn_folds(labels: np.ndarray, seed: int) -> np.ndarray:
    folds = np.empty(len(labels), dtype=np.uint8)
    splitter = StratifiedKFold(10, shuffle=True, random_state=seed)
    for fold, (_, rows) in enumerate(splitter.split(np.zeros(len(labels)), labels)):
        folds[rows] = fold
    return folds


@settings(max_examples=60)
@given(st.integers(20, 3000), st.floats(0.02, 0.98), st.integers(0, 2**32 - 1))
def test_the_folds_are_those_of_scikit_learn(n_rows: int, share: float, seed: int) -> None:
    labels = (np.random.default_rng(seed).random(n_rows) < share).astype(np.uint8)
    if min(np.count_nonzero(labels), np.count_nonzero(labels == 0)) < 10:
        with pytest.raises(DataError, match=r"cannot split .* into 10 folds that each hold both labels"):
            stratified_folds(labels, seed)
    else:
        np.testing.assert_array_equal(stratified_folds(labels, seed), sklearn_folds(labels, seed))


@pytest.mark.parametrize("first", [0, 1])
def test_the_authors_split_at_size(first: int) -> None:
    labels = (np.random.default_rng(3).random(300_000) < 0.256).astype(np.uint8)
    labels[0] = first
    folds = stratified_folds(labels)
    np.testing.assert_array_equal(folds, sklearn_folds(labels, 2018))
    sizes = np.bincount(parts_of(folds))
    assert parts_of(np.arange(10, dtype=np.uint8)).tolist() == [0] * 8 + [1, 2]
    assert np.abs(sizes - [240_000, 30_000, 30_000]).max() <= 8
