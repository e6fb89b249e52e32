import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from moco.supernet.numerics import fake_quantise, product, quantised_tables, straight


@given(bits=st.integers(2, 10), n_out=st.integers(1, 6), n_in=st.integers(1, 40), seed=st.integers(0, 99))
def test_quantised_weights_lie_on_a_symmetric_grid(bits: int, n_out: int, n_in: int, seed: int) -> None:
    weight = torch.randn(n_out, n_in, generator=torch.Generator().manual_seed(seed))
    top = 2 ** (bits - 1) - 1
    scale = weight.abs().amax(dim=1, keepdim=True) / top
    levels = fake_quantise(weight, bits) / scale
    assert all(len(row.unique()) <= 2**bits for row in fake_quantise(weight, bits))
    torch.testing.assert_close(levels, levels.round(), atol=1e-3, rtol=0)
    assert float(levels.abs().max()) == pytest.approx(top, rel=1e-4)
    assert bool(((fake_quantise(weight, bits) - weight).abs() <= 0.5001 * scale).all())


def test_quantisation_by_hand() -> None:
    # 4 bits: levels -7 .. 7; the largest magnitude of a row is level 7 and gives the scale, 0.1 and 1.
    weight = torch.tensor([[0.7, -0.33, 0.04], [-7.0, 2.4, 0.0]])
    torch.testing.assert_close(fake_quantise(weight, 4), torch.tensor([[0.7, -0.3, 0.0], [-7.0, 2.0, 0.0]]))


def test_quantising_twice_changes_nothing() -> None:
    once = fake_quantise(torch.randn(8, 30, generator=torch.Generator().manual_seed(1)), 4)
    torch.testing.assert_close(fake_quantise(once, 4), once)


def test_the_gradient_passes_straight_through() -> None:
    weight = torch.randn(5, 7, generator=torch.Generator().manual_seed(0), requires_grad=True)
    factors = torch.randn(5, 7, generator=torch.Generator().manual_seed(1))
    (fake_quantise(weight, 3) * factors).sum().backward()
    assert weight.grad is not None
    torch.testing.assert_close(weight.grad, factors)


@given(bits=st.integers(2, 10), n=st.integers(1, 300), scale=st.floats(0.01, 2.0), seed=st.integers(0, 99))
def test_what_is_rounded_straight_is_what_torch_rounds(bits: int, n: int, scale: float, seed: int) -> None:
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    values = torch.randn(n, 3, generator=torch.Generator().manual_seed(seed)) * scale * high
    factors = torch.randn(n, 3, generator=torch.Generator().manual_seed(seed + 1))
    found = []
    for rounded in (
        lambda x: straight(x, scale, low, high),
        lambda x: torch.fake_quantize_per_tensor_affine(x, scale, 0, low, high),
    ):
        x = values.clone().requires_grad_()
        y = rounded(x)
        (y * factors).sum().backward()
        assert x.grad is not None
        found.append((y.detach(), x.grad))
    steps = values / scale
    is_tie = (steps - steps.floor() - 0.5).abs() < 1e-4 * (1 + steps.abs())  # either neighbour is right
    for ours, torchs in zip(*found, strict=True):
        torch.testing.assert_close(ours[~is_tie], torchs[~is_tie])


def test_rounding_straight_keeps_short_numbers_and_takes_a_scale_for_each_field() -> None:
    x = torch.tensor([[0.26, -9.0], [0.74, 2.6]], dtype=torch.bfloat16, requires_grad=True)
    y = straight(x, torch.tensor([0.5, 1.0]), -2, 2)
    y.sum().backward()
    assert y.dtype == torch.bfloat16
    assert y.tolist() == [[0.5, -2.0], [0.5, 2.0]]
    assert x.grad is not None
    assert x.grad.tolist() == [[1.0, 0.0], [1.0, 0.0]]


def test_all_zero_and_empty_weights_stay() -> None:
    assert fake_quantise(torch.zeros(2, 3), 4).equal(torch.zeros(2, 3))
    assert fake_quantise(torch.empty(4, 0), 4).shape == (4, 0)


def test_one_bit_is_refused() -> None:
    with pytest.raises(ValueError, match="weight bits must be at least 2 for levels on both sides of zero, got 1"):
        fake_quantise(torch.ones(1, 1), 1)


@pytest.mark.parametrize("is_transposed", [False, True])
def test_product_is_one_linear_layer(is_transposed: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(9, 6, generator=generator)
    weight, bias = torch.randn(4, 9, generator=generator), torch.randn(4, generator=generator)
    columns = x.T.contiguous().T if is_transposed else x
    torch.testing.assert_close(product(columns, weight, bias), functional.linear(x.T, weight, bias).T)


def test_product_of_no_inputs_is_the_bias() -> None:
    assert product(torch.empty(0, 3), torch.empty(2, 0), torch.tensor([1.0, 2.0])).equal(
        torch.tensor([[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]])
    )


def test_each_table_has_its_own_scale() -> None:
    # 3 bits: levels -3 .. 3. The first table's scale is 3 / 3, the second's 30 / 3.
    table = torch.tensor([[3.0, 1.4], [-0.6, 0.2], [30.0, -14.0]])
    expected = torch.tensor([[3.0, 1.0], [-1.0, 0.0], [30.0, -10.0]])
    torch.testing.assert_close(quantised_tables(table, [2, 1], 3), expected)
    assert np.isfinite(quantised_tables(torch.zeros(3, 2), [2, 1], 8).numpy()).all()
