import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.nn import functional

from moco.supernet import head
from moco.supernet.head import fitted_head
from moco.supernet.numerics import fake_quantise


def drawn(seed: int, n_rows: int, n_features: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Features of very different sizes, labels that depend on them, and a head that knows nothing."""
    generator = torch.Generator().manual_seed(seed)
    sizes = torch.logspace(0, -3, n_features)
    features = torch.randn(n_rows, n_features, generator=generator) * sizes + torch.randn(
        n_features, generator=generator
    )
    logits = (features - features.mean(0)) @ torch.randn(n_features, generator=generator) * 2
    labels = torch.bernoulli(torch.sigmoid(logits), generator=generator)
    return features, labels, 0.1 * torch.randn(n_features, generator=generator), torch.tensor(0.3)


def logloss(features: Tensor, labels: Tensor, weight: Tensor, bias: Tensor) -> float:
    return float(functional.binary_cross_entropy_with_logits(features @ weight + bias, labels))


@given(seed=st.integers(0, 10**6), n_rows=st.integers(2, 300), n_features=st.integers(1, 30))
@settings(max_examples=60)
def test_a_fitted_head_is_never_worse_on_its_rows(seed: int, n_rows: int, n_features: int) -> None:
    features, labels, weight, bias = drawn(seed, n_rows, n_features)
    fitted = fitted_head(features.T, labels, weight, bias)
    assert logloss(features, labels, *fitted) <= logloss(features, labels, weight, bias) + 1e-6


def test_it_is_logistic_regression(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against scikit-learn, whose penalty |w|^2 / 2 against C times the summed loss draws to zero."""
    monkeypatch.setattr(head, "TOLERANCE", 1e-9)
    features, labels, _, _ = drawn(0, 500, 6)
    weight, bias = fitted_head(features.T, labels, torch.zeros(6), torch.tensor(0.0))
    variance = float(features.var(dim=0, correction=0).mean())
    reference = LogisticRegression(C=1 / (head.RIDGE * variance * len(features)), tol=1e-8).fit(features, labels)
    np.testing.assert_allclose(weight.numpy(), reference.coef_[0], atol=2e-3)
    assert float(bias) == pytest.approx(float(reference.intercept_[0]), abs=5e-3)


def test_features_that_hardly_vary_keep_their_weight() -> None:
    features, labels, weight, bias = drawn(1, 400, 5)
    features[:, 2] = 0.7
    features[:, 3] *= 1e-6
    fitted, _ = fitted_head(features.T, labels, weight, bias)
    torch.testing.assert_close(fitted[2:4], weight[2:4], atol=1e-3, rtol=0)
    assert float((fitted[0] - weight[0]).abs()) > 0.1


def test_rounding_a_fitted_head_costs_little() -> None:
    features, labels, weight, bias = drawn(2, 1000, 30)
    fitted, shift = fitted_head(features.T, labels, weight, bias)
    rounded = fake_quantise(fitted[None], 8)[0]
    assert logloss(features, labels, rounded, shift) < logloss(features, labels, fitted, shift) + 2e-3


def test_features_too_large_to_fit_leave_the_head_as_it_is() -> None:
    features, labels, weight, bias = drawn(0, 100, 5)
    for scale in (1e25, float("inf")):
        fitted = fitted_head((features * scale).T, labels, weight, bias)
        assert fitted[0].equal(weight)
        assert fitted[1].equal(bias)
