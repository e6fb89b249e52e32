"""Differences of means over seeds: Welch's, as SciPy has it, and what cannot be said."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import ttest_ind

from moco.compare.noise import difference, verdict


@pytest.mark.parametrize("shift", [0.0, 0.001, 0.01])
@pytest.mark.parametrize(("n_first", "n_second"), [(2, 2), (3, 5), (8, 3)])
def test_welch_as_in_scipy(shift: float, n_first: int, n_second: int) -> None:
    rng = np.random.default_rng(int(shift * 1000) + n_first)
    first, second = rng.normal(0.8 + shift, 0.002, n_first), rng.normal(0.8, 0.0005, n_second)
    found, expected = difference(first.tolist(), second.tolist()), ttest_ind(first, second, equal_var=False)
    assert found.mean / found.standard_error == pytest.approx(expected.statistic)
    assert found.degrees_of_freedom == pytest.approx(expected.df)
    assert found.is_beyond_noise == (expected.pvalue < 0.05)
    turned = difference(second.tolist(), first.tolist())
    assert (turned.mean, turned.standard_error) == (-found.mean, pytest.approx(found.standard_error))


def test_words() -> None:
    clear, vague = difference([0.81, 0.811, 0.809], [0.80, 0.801, 0.799]), difference([0.81, 0.79], [0.80, 0.78])
    assert verdict(clear, "FM", more_is_better=True) == "better than FM (+0.0100 ± 0.0008)"
    assert verdict(clear, "FM", more_is_better=False) == "worse than FM (+0.0100 ± 0.0008)"
    assert verdict(vague, "FM", more_is_better=True) == "level with FM (+0.0100 ± 0.0141)"
    single = difference([0.81], [0.80, 0.801])
    assert math.isnan(single.standard_error)
    assert verdict(single, "FM", more_is_better=True) == "+0.0095 from FM, noise not known from one seed"


def test_samples_that_do_not_vary() -> None:
    assert difference([0.5, 0.5], [0.5, 0.5]).is_beyond_noise is False
    assert difference([0.5, 0.5], [0.25, 0.25]).is_beyond_noise is True


def test_no_values() -> None:
    with pytest.raises(ValueError, match="a mean needs at least one value, got samples of 2 and 0"):
        difference([1.0, 2.0], [])
