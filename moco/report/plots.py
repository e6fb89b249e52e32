"""Plots of a search: its front in pairs and in three dimensions, its progress, and where the energy goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from moco.report.figures import (
    AXIS_LABELS,
    BLUE,
    COMPONENT_COLOURS,
    FAINT,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    PAPER,
    VERMILLION,
    component_label,
    log_ticks,
    plain_axes,
    short_number,
)

LOGLOSS, ENERGY, LATENCY = range(3)
PAIRS = ((ENERGY, LOGLOSS), (LATENCY, LOGLOSS), (ENERGY, LATENCY))
_NAMES = ("logloss", "energy_pj", "latency_ns")
_COSTS = (ENERGY, LATENCY)
_HALO = [withStroke(linewidth=2.5, foreground=PAPER)]
_LABEL_DISTANCE = 17
"""From a chosen design to its letter, in points."""
_SHOWN_OF_FRONT = 0.9
"""Of the front, by log loss: what is cheapest and hardly predicts would flatten the rest."""
_HEADROOM = 1.25
"""Height of a panel, in that of the part of the front that is shown."""
_LABELLED_SHARE = 0.055
"""A part of a bar that is wider than this carries its share as a number."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FrontPoints:
    """What the plots of the front show; columns are log loss, energy in pJ and latency in ns.

    Attributes:
        evaluated: (B, 3) every feasible design.
        is_first: (B,) the design stood in the first generation.
        front: (K, 3) designs on the front, K at least 1.
        chosen: (C, 3) chosen designs.
        trained_logloss: (C,) log loss on valid rows after training from scratch; NaN where it was not trained.
        trained_front: (T, 3) the front of all trained designs, with the log loss from scratch; T may be 0.
    """

    evaluated: NDArray[np.float64]
    is_first: NDArray[np.bool_]
    front: NDArray[np.float64]
    chosen: NDArray[np.float64]
    trained_logloss: NDArray[np.float64]
    trained_front: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 3)))


def letter(position: int) -> str:
    """The mark of a chosen design in plots and tables: A, B, ..., Z, A2, ..."""
    round_number, place = divmod(position, 26)
    return chr(ord("A") + place) + (str(round_number + 1) if round_number else "")


def front_pairs(points: FrontPoints) -> Figure:
    """The three pairs of objectives side by side; the lower left corner is best."""
    figure = Figure(figsize=(14, 5.4), layout="constrained")
    panels = cast("list[Axes]", list(figure.subplots(1, 3)))
    for axes, (across, up) in zip(panels, PAIRS, strict=True):
        _pair(axes, points, across, up)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=6, frameon=False, fontsize=10, markerscale=1.5)
    return figure


def _pair(axes: Axes, points: FrontPoints, across: int, up: int) -> None:
    first, later = points.evaluated[points.is_first], points.evaluated[~points.is_first]
    axes.scatter(later[:, across], later[:, up], s=7, color=FAINT, linewidths=0, label="evaluated, feasible")
    axes.scatter(first[:, across], first[:, up], s=9, color=ORANGE, alpha=0.55, linewidths=0, label="first generation")
    axes.scatter(
        points.front[:, across],
        points.front[:, up],
        s=24,
        color=BLUE,
        edgecolors=PAPER,
        linewidths=0.4,
        label="Pareto front (all three objectives)",
    )
    axes.set_xlabel(AXIS_LABELS[_NAMES[across]])
    axes.set_ylabel(AXIS_LABELS[_NAMES[up]])
    plain_axes(axes)
    if up == LOGLOSS:
        _trained(axes, points, across)
        _limit_logloss(axes, points)
    for axis, column in ((axes.xaxis, across), (axes.yaxis, up)):
        if column in _COSTS:
            axis.axes.set(**{f"{axis.axis_name}scale": "log"})
            log_ticks(axis, points.evaluated[:, column])
    axes.scatter(
        points.chosen[:, across],
        points.chosen[:, up],
        s=44,
        color=VERMILLION,
        edgecolors=PAPER,
        linewidths=0.8,
        zorder=4,
        label="chosen design",
    )
    for position, (place, shift) in enumerate(zip(points.chosen, _label_shifts(points.chosen[:, across]), strict=True)):
        axes.annotate(
            letter(position),
            (place[across], place[up]),
            xytext=shift,
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=10.5,
            fontweight="bold",
            color=VERMILLION,
            path_effects=_HALO,
            arrowprops={"arrowstyle": "-", "color": VERMILLION, "linewidth": 0.8, "shrinkA": 5, "shrinkB": 2},
            zorder=5,
        )


def _label_shifts(across: NDArray[np.float64]) -> list[tuple[int, int]]:
    """(C,) where each letter stands from its design: left ones to the left, right ones to the right, so that lines to
    neighbours do not cross; one up, the next down."""
    ranks = across.argsort(kind="stable").argsort(kind="stable")
    return [
        (_LABEL_DISTANCE * (-1 if 2 * rank < len(ranks) else 1), _LABEL_DISTANCE * (1 if rank % 2 else -1))
        for rank in ranks.tolist()
    ]


def _trained(axes: Axes, points: FrontPoints, across: int) -> None:
    """What training from scratch gave, joined to the supernet's score."""
    if len(points.trained_front):
        axes.scatter(
            points.trained_front[:, across],
            points.trained_front[:, LOGLOSS],
            s=16,
            marker="D",
            color=GREEN,
            linewidths=0,
            zorder=3,
            label="front of what was trained from scratch",
        )
    is_trained = np.isfinite(points.trained_logloss)
    if not is_trained.any():
        return
    costs, logloss = points.chosen[is_trained, across], points.trained_logloss[is_trained]
    axes.vlines(costs, points.chosen[is_trained, LOGLOSS], logloss, color=GREEN, linewidth=0.9, alpha=0.7)
    axes.scatter(
        costs,
        logloss,
        s=42,
        marker="D",
        facecolors=PAPER,
        edgecolors=GREEN,
        linewidths=1.3,
        zorder=4,
        label="chosen, trained from scratch",
    )


def _limit_logloss(axes: Axes, points: FrontPoints) -> None:
    """Ends the axis a little above most of the front, and says how many designs lie beyond."""
    front, loglosses = points.front[:, LOGLOSS], points.evaluated[:, LOGLOSS]
    trained = points.trained_logloss[np.isfinite(points.trained_logloss)]
    marked = [*points.chosen[:, LOGLOSS], *trained, *points.trained_front[:, LOGLOSS]]
    low = min(loglosses.min(), front.min(), *marked)
    shown = max(float(np.quantile(front, _SHOWN_OF_FRONT, method="higher")), *marked)
    high = max(shown, min(float(loglosses.max()), low + _HEADROOM * (shown - low)))
    if high == low:
        return
    margin = 0.06 * (high - low)
    axes.set_ylim(low - margin, high + margin)
    n_above, n_of_front = (int((values > high + margin).sum()) for values in (loglosses, front))
    if n_above:
        of_front = f", {n_of_front} of them on the front" if n_of_front else ""
        axes.set_title(f"not shown: {n_above:,} above{of_front}", fontsize=9, color=MUTED, loc="right")


def front_3d(points: FrontPoints) -> Figure:
    """The front over the plane of energy and latency, each point with its foot on that plane."""
    figure = Figure(figsize=(7.4, 5.4))
    axes: Any = figure.add_axes((0.02, 0.0, 0.92, 1.0), projection="3d")  # the 3-D axes have no types
    energy, latency = (np.log10(points.front[:, column]) for column in _COSTS)
    logloss = points.front[:, LOGLOSS]
    low, high = logloss.min(), logloss.max()
    floor = low - 0.08 * (high - low)
    for x, y, z in zip(energy, latency, logloss, strict=True):
        axes.plot([x, x], [y, y], [floor, z], color=FAINT, linewidth=0.7, zorder=1)
    axes.scatter(energy, latency, np.full_like(logloss, floor), s=4, color=FAINT, depthshade=False)
    axes.scatter(
        energy, latency, logloss, c=logloss, cmap="cividis", s=34, depthshade=False, edgecolors=PAPER, linewidths=0.5
    )
    chosen_energy, chosen_latency = (np.log10(points.chosen[:, column]) for column in _COSTS)
    chosen_logloss = points.chosen[:, LOGLOSS]
    axes.scatter(
        chosen_energy, chosen_latency, chosen_logloss, s=54, color=VERMILLION, depthshade=False, edgecolors=PAPER
    )
    for position, (x, y, z) in enumerate(zip(chosen_energy, chosen_latency, chosen_logloss, strict=True)):
        axes.text(
            x,
            y,
            z + 0.05 * (high - low),
            letter(position),
            ha="center",
            va="bottom",
            fontsize=11,
            fontweight="bold",
            color=VERMILLION,
            path_effects=_HALO,
            zorder=100,
        )
    log_ticks(axes.xaxis, points.front[:, ENERGY], is_exponent=True)
    log_ticks(axes.yaxis, points.front[:, LATENCY], is_exponent=True)
    axes.zaxis.set_major_locator(MaxNLocator(5))
    if high > low:
        axes.set_zlim(floor, high + 0.05 * (high - low))
    axes.set_xlabel("energy, pJ", labelpad=8)
    axes.set_ylabel("latency, ns", labelpad=8)
    axes.set_zlabel("log loss (supernet score)", labelpad=12)
    axes.tick_params(labelsize=8, colors=MUTED)
    for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
        axis.pane.set_facecolor("#F6F7F8")
        axis.pane.set_edgecolor(FAINT)
        axis._axinfo["grid"].update(color=FAINT, linewidth=0.6)
    axes.view_init(elev=22, azim=-128)
    axes.set_box_aspect((1.15, 1.15, 0.85), zoom=0.95)
    return figure


def hypervolume_over_trials(hypervolumes: NDArray[np.float64], n_trials: NDArray[np.int64]) -> Figure:
    """How the front grew.

    Args:
        hypervolumes: (G,) after each generation; the last is positive.
        n_trials: (G,) designs evaluated up to the end of each generation.
    """
    figure = Figure(figsize=(7.4, 5.4), layout="constrained")
    axes = figure.add_subplot()
    share = 100 * hypervolumes / hypervolumes[-1]
    axes.plot(n_trials, share, color=BLUE, linewidth=1.8, marker="o", markersize=3.5, markeredgewidth=0)
    axes.set_xlabel("designs evaluated")
    axes.set_ylabel("hypervolume of the front,\n% of its last value")
    axes.set_xlim(left=0)
    axes.set_ylim(top=101)
    plain_axes(axes)
    return figure


def supernet_history(n_epochs: Sequence[float], logloss: Sequence[float]) -> Figure:
    """Median log loss of the supernet's monitored networks on valid rows after each round; the best one is marked."""
    figure = Figure(figsize=(7.4, 3.6), layout="constrained")
    axes = figure.add_subplot()
    best = int(np.argmin(logloss))
    axes.plot(n_epochs, logloss, color=BLUE, linewidth=1.8, marker="o", markersize=4, markeredgewidth=0)
    axes.plot([n_epochs[best]], [logloss[best]], color=VERMILLION, marker="o", markersize=8, linestyle="none")
    axes.set_xlabel("epochs of supernet training")
    axes.set_ylabel("median log loss\non valid rows (supernet)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=max(n_epochs) > 4))
    plain_axes(axes)
    return figure


def energy_breakdown(names: Sequence[str], energy_pj: NDArray[np.float64]) -> Figure:
    """Energy of some designs by component: what it is, and its shares.

    Args:
        names: (B,) of the designs.
        energy_pj: (B, C) in the order of pimmodel.COMPONENTS.
    """
    figure = Figure(figsize=(14, 1.7 + 0.55 * len(names)), layout="constrained")
    absolute, shares = cast("list[Axes]", list(figure.subplots(1, 2, width_ratios=(2, 3))))
    total = energy_pj.sum(axis=1)
    rows = np.arange(len(names))
    for axes, parts in ((absolute, energy_pj), (shares, 100 * energy_pj / total[:, None])):
        left = np.zeros(len(names))
        for (component, colour), width in zip(COMPONENT_COLOURS.items(), parts.T, strict=True):
            if energy_pj[:, list(COMPONENT_COLOURS).index(component)].any():
                axes.barh(rows, width, left=left, color=colour, label=component_label(component), height=0.66)
            left += width
        plain_axes(axes)
        axes.grid(visible=False, axis="y")
        axes.invert_yaxis()
    absolute.set_yticks(rows, list(names), fontsize=10, color=INK)
    absolute.set_xlabel("energy of one inference, pJ")
    absolute.xaxis.set_major_locator(MaxNLocator(5))
    absolute.xaxis.set_major_formatter(lambda value, _: short_number(value) if value > 0 else "0")
    shares.set_yticks([])
    shares.set_xlim(0, 100)
    shares.set_xlabel("share of the energy, %")
    _label_shares(shares, energy_pj / total[:, None])
    handles, labels = shares.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=10, frameon=False, fontsize=9.5)
    return figure


def _label_shares(axes: Axes, shares: NDArray[np.float64]) -> None:
    ends = shares.cumsum(axis=1)
    for (row, column), share in np.ndenumerate(shares):
        if share >= _LABELLED_SHARE:
            red, green, blue = (int(list(COMPONENT_COLOURS.values())[column][i : i + 2], 16) for i in (1, 3, 5))
            is_dark = 0.299 * red + 0.587 * green + 0.114 * blue < 140
            axes.text(
                float(100 * (ends[row, column] - share / 2)),
                row,
                f"{100 * share:.0f}",
                ha="center",
                va="center",
                fontsize=9,
                color=PAPER if is_dark else INK,
            )
