import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from moco.supernet.average import Averaged


def module_of(value: float) -> nn.Linear:
    module = nn.Linear(2, 1)
    with torch.no_grad():
        for weight in module.parameters():
            weight.fill_(value)
    return module


@given(st.lists(st.floats(-10, 10, width=32), min_size=1, max_size=8), st.floats(1.1, 100))
def test_the_average_is_the_weighted_sum_of_all_steps(values: list[float], n_steps: float) -> None:
    module = module_of(99.0)
    averaged = Averaged(module, n_steps)
    assert averaged.module is module
    for value in values:
        with torch.no_grad():
            for weight in module.parameters():
                weight.fill_(value)
        averaged.update()
    n, decay = len(values), 1 - 1 / n_steps
    shares = [decay ** (n - 1)] + [(1 - decay) * decay ** (n - 1 - step) for step in range(1, n)]
    assert np.isclose(sum(shares), 1)
    expected = float(np.dot(shares, values))
    for weight in averaged.module.parameters():
        assert np.allclose(weight.detach(), expected, atol=1e-4)
    again = Averaged(module_of(0.0), n_steps)
    again.load(averaged.state())
    assert all(torch.equal(a, b) for a, b in zip(again.module.parameters(), averaged.module.parameters(), strict=True))


def test_without_steps_to_average_over_the_module_is_its_own_average() -> None:
    module = module_of(1.0)
    averaged = Averaged(module, 0)
    averaged.update()
    assert averaged.module is module
    assert averaged.state() == {}
