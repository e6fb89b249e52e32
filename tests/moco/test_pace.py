"""How long trainings take, by hand."""

from __future__ import annotations

import numpy as np

from moco.pace import Pace, training_time, without_the_longest


def test_time_of_training_grows_with_macs() -> None:
    assert training_time(np.array([0, 20_000, 180_000])).tolist() == [1.0, 2.0, 10.0]


def test_one_network_that_takes_more_than_a_third_is_left_out() -> None:
    macs = np.array([0, 20_000, 40_000, 60_000, 180_000])  # times 1, 2, 3, 4, 10 of 20
    assert without_the_longest(macs).tolist() == [True, True, True, True, False]


def test_the_slowest_training_says_what_ends_in_time() -> None:
    assert Pace().longest(0.1) == np.inf
    pace = Pace(first=5.0)
    assert pace.longest(0.1) == pace.longest(1e6) == 5  # nothing is known yet
    assert pace.longest(0.0) == pace.longest(-5.0) == 0
    pace.ended(time=2.0, seconds=6.0)
    pace.ended(time=10.0, seconds=20.0)
    assert pace.slowest == 3
    assert pace.longest(12.0) == 4
    assert pace.longest(-1.0) == 0
