import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.preprocessing import OneHotEncoder

from moco.data import CtrDataset, DataError, load_dataset
from moco.data.synthetic import label_entropy


def first_order_logloss(data: CtrDataset) -> float:
    """Test log loss of a logistic regression on one-hot ids and dense inputs."""
    one_hot = OneHotEncoder(categories=[np.arange(c) for c in data.cardinalities], sparse_output=False)
    inputs = [np.hstack([one_hot.fit_transform(part.ids), part.dense]) for part in (data.train, data.test)]
    model = LogisticRegression(C=10.0, max_iter=300).fit(inputs[0], data.train.labels)
    return float(log_loss(data.test.labels, model.predict_proba(inputs[1])))


def test_first_order_model_reaches_the_best_log_loss_only_without_interactions() -> None:
    small = {"n_rows": 60_000, "n_fields": 4, "n_dense": 0, "max_cardinality": 12}
    plain = load_dataset("synthetic", interaction_order=1, **small)
    # 6,000 test rows: the standard error of a mean log loss near 0.5 is about 0.006.
    assert first_order_logloss(plain) == pytest.approx(plain.best_logloss, abs=0.015)
    for order in (2, 3):
        crossed = load_dataset("synthetic", interaction_order=order, **small)
        assert first_order_logloss(crossed) > crossed.best_logloss + 0.03


def test_label_entropy() -> None:
    # By hand: ln 2 for a fair coin; 0.5623 nats at odds of 1 to 3 and 3 to 1; nothing left to learn of a sure label.
    logits = np.array([0.0, -np.log(3.0), np.log(3.0), 50.0])
    np.testing.assert_allclose(label_entropy(logits), [np.log(2.0), 0.562335, 0.562335, 0.0], rtol=1e-5, atol=1e-12)


@settings(max_examples=15)
@given(
    n_rows=st.integers(100, 3000),
    n_fields=st.integers(3, 8),
    n_dense=st.integers(0, 3),
    max_cardinality=st.integers(3, 3000),
    order=st.integers(1, 3),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_arguments_give_a_repeatable_log(
    n_rows: int, n_fields: int, n_dense: int, max_cardinality: int, order: int, seed: int
) -> None:
    options = {
        "n_rows": n_rows,
        "n_fields": n_fields,
        "n_dense": n_dense,
        "max_cardinality": max_cardinality,
        "interaction_order": order,
        "seed": seed,
    }
    data = load_dataset("synthetic", **options)
    assert len(data.train) + len(data.valid) + len(data.test) == n_rows
    assert data.train.ids.shape[1] == len(data.cardinalities) == n_fields
    assert data.train.dense.shape[1] == n_dense
    assert max(data.cardinalities) <= max_cardinality + 1
    assert data.best_logloss is not None
    assert 0.0 < data.best_logloss < np.log(2)
    assert load_dataset("synthetic", **options).digest == data.digest


def test_frequencies_follow_zipf_and_cardinalities_spread() -> None:
    data = load_dataset("synthetic", n_rows=50_000, n_fields=6, max_cardinality=1000)
    # 3 (1000 / 3) ** (i / 5) values and row 0: 4, 11, 32, 99, 315, 1001; of the largest field some never occur.
    assert sorted(data.cardinalities)[:4] == [4, 11, 32, 99]
    field = data.cardinalities.index(99)
    counts = np.bincount(data.train.ids[:, field])
    # Ids are ordered by count: the second is 2 ** -1.05 as frequent as the first, the tenth 10 ** -1.05.
    assert counts[2] / counts[1] == pytest.approx(2**-1.05, rel=0.05)
    assert counts[10] / counts[1] == pytest.approx(10**-1.05, rel=0.1)
    assert data.train.labels.mean() == pytest.approx(0.256, abs=0.01)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("n_rows", -1, "n_rows must be a whole number at least 100, got -1"),
        ("n_rows", 1e5, "n_rows must be a whole number at least 100, got 100000.0"),
        ("n_fields", 0, "n_fields must be a whole number at least 1, got 0"),
        ("n_dense", -1, "n_dense must be a whole number at least 0, got -1"),
        ("max_cardinality", 2, "max_cardinality must be a whole number from 3 to 100000000, got 2"),
        ("interaction_order", 4, "interaction_order must be a whole number from 1 to 3, got 4"),
        ("n_fields", 1, "interaction_order 2 needs as many fields, got n_fields=1"),
    ],
)
def test_errors(option: str, value: float, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_dataset("synthetic", **{option: value})
