"""How long trainings take, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from moco.training.pace import MARGIN, Pace, training_time, without_the_longest
from spaces import ArchitectureBatch, from_compact, nasrec_space


def test_time_of_training_grows_with_outputs_and_macs() -> None:
    network = from_compact("DP8|EFC3|10|0|0|0,0 ; SG5|ATT6|01|01|01|1,0", embedding_dim=2)
    space = nasrec_space("nasrec-full", n_dense=3, n_sparse=4, n_blocks=2, embedding_dim=2)
    time = training_time(space, ArchitectureBatch.of([network, network]))
    assert time == pytest.approx([1 + 208 / 500 + 887 / 100_000] * 2)  # counted in tests/spaces


def test_one_network_that_takes_more_than_a_third_is_left_out() -> None:
    assert without_the_longest(np.array([1.0, 2, 3, 4, 10])).tolist() == [True, True, True, True, False]  # 10 of 20


def test_trainings_that_ended_say_what_ends_in_time() -> None:
    assert Pace().longest(0.1) == np.inf
    pace = Pace(first=5.0)
    assert pace.longest(0.1) == pace.longest(1e6) == 5  # nothing is known yet
    assert pace.longest(0.0) == pace.longest(-5.0) == 0
    pace.ended(time=2.0, seconds=10.0)
    pace.ended(time=10.0, seconds=20.0)  # 30 s for 12, the short one slower than that
    assert pace.longest(15.0) == pytest.approx(6 / MARGIN)
    assert pace.longest(-1.0) == 0
