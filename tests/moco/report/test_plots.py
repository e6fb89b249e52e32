"""Plots show the numbers they are given, on axes a reader can use."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from moco.report.figures import COMPONENT_COLOURS, log_ticks, png, short_number
from moco.report.plots import (
    FrontPoints,
    energy_breakdown,
    front_3d,
    front_pairs,
    hypervolume_over_trials,
    letter,
    supernet_history,
)
from pimmodel import COMPONENTS

POINTS = FrontPoints(
    evaluated=np.array([[0.5, 1e3, 100.0], [0.4, 1e5, 300.0], [0.45, 1e4, 200.0], [0.6, 1e6, 900.0]]),
    is_first=np.array([True, False, False, True]),
    front=np.array([[0.4, 1e5, 300.0], [0.45, 1e4, 200.0], [0.5, 1e3, 100.0]]),
    chosen=np.array([[0.4, 1e5, 300.0], [0.45, 1e4, 200.0]]),
    trained_logloss=np.array([0.38, np.nan]),
)


@pytest.mark.parametrize(("position", "expected"), [(0, "A"), (25, "Z"), (26, "A2"), (52, "A3")])
def test_letters(position: int, expected: str) -> None:
    assert letter(position) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.05, "0.05"),
        (500, "500"),
        (1e3, "1k"),
        (20_000, "20k"),
        (1.5e6, "1.5M"),
        (2e9, "2G"),
        (10**6 * 0.9999999999999, "1M"),
    ],
)
def test_short_numbers(value: float, expected: str) -> None:
    assert short_number(value) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([120, 900], ["200", "500"], id="within-a-decade"),
        pytest.param([5, 200_000], ["10", "100", "1k", "10k", "100k"], id="many-decades"),
        pytest.param([3, 3], [], id="one-value-between-ticks"),
    ],
)
def test_log_ticks_are_round(values: list[float], expected: list[str]) -> None:
    axis = Figure().add_subplot().xaxis
    log_ticks(axis, values)
    ticks = axis.get_major_locator()()
    low, high = min(values), max(values)
    shown = [short_number(tick) for tick in ticks if low <= tick <= high]
    assert shown == expected
    assert min(ticks) <= low
    assert max(ticks) >= high


def test_pairs_show_every_point_and_label_units() -> None:
    figure = front_pairs(POINTS)
    labels = [(axes.get_xlabel(), axes.get_ylabel()) for axes in figure.axes]
    assert [(across.split(",")[-1], up.split(",")[-1]) for across, up in labels] == [
        (" pJ", "log loss on valid rows\n(supernet score)"),
        (" ns", "log loss on valid rows\n(supernet score)"),
        (" pJ", " ns"),
    ]
    assert figure.axes[0].get_xscale() == figure.axes[2].get_yscale() == "log"
    assert figure.axes[0].get_yscale() == "linear"
    later, first, front, *_ = figure.axes[0].collections
    assert len(later.get_offsets()) + len(first.get_offsets()) == len(POINTS.evaluated)
    assert np.array_equal(front.get_offsets(), POINTS.front[:, [1, 0]])
    assert [text.get_text() for text in figure.axes[1].texts] == ["A", "B"]


def test_trained_designs_stand_beside_their_score() -> None:
    axes = front_pairs(POINTS).axes[0]
    (trained,) = (dots for dots in axes.collections if dots.get_label() == "chosen, trained from scratch")
    assert np.array_equal(trained.get_offsets(), [[1e5, 0.38]])
    low, high = axes.get_ylim()
    assert low < 0.38 < high


def test_the_front_of_what_was_trained_is_shown_whole() -> None:
    trained = np.array([[0.3, 1e5, 300.0], [0.7, 2e3, 90.0]])
    axes = front_pairs(replace(POINTS, trained_front=trained)).axes
    label = "front of what was trained from scratch"
    (dots,) = (dots for dots in axes[1].collections if dots.get_label() == label)
    assert np.array_equal(dots.get_offsets(), trained[:, [2, 0]])
    low, high = axes[1].get_ylim()
    assert low < 0.3 < 0.7 < high
    assert all(dots.get_label() != label for dots in front_pairs(POINTS).axes[0].collections)


def test_designs_far_above_the_front_are_counted() -> None:
    far = np.concatenate([np.repeat(POINTS.evaluated[:3], 30, axis=0), [[9.0, 1e3, 100.0]]])
    points = FrontPoints(
        evaluated=far,
        is_first=np.zeros(len(far), dtype=bool),
        front=POINTS.front,
        chosen=POINTS.chosen,
        trained_logloss=POINTS.trained_logloss,
    )
    assert front_pairs(points).axes[0].get_title(loc="right") == "not shown: 1 above"


def test_many_useless_designs_do_not_flatten_the_front() -> None:
    useless = np.tile([14.0, 1e3, 100.0], (len(POINTS.evaluated), 1))
    points = replace(
        POINTS,
        evaluated=np.concatenate([POINTS.evaluated, useless]),
        is_first=np.zeros(2 * len(useless), dtype=bool),
    )
    low, high = front_pairs(points).axes[0].get_ylim()
    front = POINTS.front[:, 0]
    assert low < front.min()
    assert front.max() < high < 1


def test_one_design_can_be_drawn() -> None:
    one = POINTS.front[:1]
    points = FrontPoints(
        evaluated=one, is_first=np.array([True]), front=one, chosen=one, trained_logloss=np.array([np.nan])
    )
    for figure in (front_pairs(points), front_3d(points)):
        assert png(figure).startswith(b"\x89PNG")


def test_figures_are_deterministic() -> None:
    assert png(front_3d(POINTS)) == png(front_3d(POINTS))


def test_hypervolume_is_a_share_of_the_last() -> None:
    (line,) = hypervolume_over_trials(np.array([1.0, 3.0, 4.0]), np.array([10, 20, 25])).axes[0].lines
    assert np.array_equal(line.get_xydata(), [[10, 25], [20, 75], [25, 100]])


def test_the_best_epoch_is_marked() -> None:
    _, mark = supernet_history([1, 2, 3], [0.7, 0.5, 0.6]).axes[0].lines
    assert np.array_equal(mark.get_xydata(), [[2, 0.5]])


def test_breakdown_adds_up() -> None:
    energy_pj = np.random.default_rng(0).random((3, len(COMPONENTS)))
    energy_pj[:, 2] = 0.0
    absolute, shares = energy_breakdown(["a", "b", "c"], energy_pj).axes
    for axes, totals in ((absolute, energy_pj.sum(axis=1)), (shares, np.full(3, 100.0))):
        bars = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
        widths = np.array([bar.get_width() for bar in bars]).reshape(-1, 3)
        assert len(widths) == len(COMPONENTS) - 1  # what no design has is not in the legend
        assert widths.sum(axis=0) == pytest.approx(totals)


def test_every_component_has_its_own_colour() -> None:
    assert tuple(COMPONENT_COLOURS) == COMPONENTS
    assert len(set(COMPONENT_COLOURS.values())) == len(COMPONENTS)
