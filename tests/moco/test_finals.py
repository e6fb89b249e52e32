"""Rounds of final trainings: in haste at first, for themselves at the end, none longer than its share."""

from __future__ import annotations

import pytest

from moco.finals import terms_of_round
from moco.pace import Pace


@pytest.mark.parametrize(
    ("left_s", "haste", "short", "longest"),
    [(1000.0, 1.0, 125.0, 500.0), (625.0, 0.5, 125.0, 312.5), (250.0, 0.0, 125.0, 125.0)],
)
def test_terms_of_a_round(left_s: float, haste: float, short: float, longest: float) -> None:
    pace = Pace()
    pace.ended(time=3.0, seconds=6.0)  # two seconds for each unit of training time
    terms = terms_of_round(0.5, left_s, 1000.0, pace)
    assert [one.most_time for one in terms] == [short, longest]
    assert [(one.reference, one.haste) for one in terms] == [(0.5, haste)] * 2
