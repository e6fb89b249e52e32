"""Retrained designs in the report: how sure we are of them, how they learned, and what their operators contribute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from moco.report import markup
from moco.report.figures import BLUE, GREEN, INK, MUTED, ORANGE, VERMILLION, plain_axes

if TYPE_CHECKING:
    from moco.chosen.retrained import Retrained

CURVES, RELIABILITY, CONTRIBUTIONS = "learning_curves.png", "reliability.png", "contributions.png"
COLOURS = (BLUE, VERMILLION, GREEN, ORANGE, INK, MUTED)
_KEY_DIGITS = 8


def retrained_figures(found: Sequence[Retrained]) -> dict[str, Figure]:
    """The figures of retrained designs, by file name; none without such designs."""
    designs = by_design(found)
    if not designs:
        return {}
    return {
        CURVES: _learning_curves(designs),
        RELIABILITY: _reliability(designs),
        CONTRIBUTIONS: _contributions(designs),
    }


def retrained_section(found: Sequence[Retrained], pictures: Mapping[str, bytes]) -> str:
    """The section as markup."""
    rows = []
    for name, runs in by_design(found).items():
        figures = {
            (part, figure): np.array([getattr(getattr(run, part), figure) for run in runs])
            for part in ("chip_test", "test")
            for figure in ("logloss", "auc")
        }
        starts = ", ".join(sorted({run.start for run in runs}))
        rows.append([name, str(len(runs)), starts, *(mean_and_deviation(values) for values in figures.values())])
    return "\n".join(
        [
            markup.element(
                "p",
                "These designs were trained to the end for their chips, from several seeds; of two starts, new weights "
                "and the supernet's, the one with the lower valid log loss counts. A figure is the mean over the "
                "seeds ± their standard deviation; two designs nearer than that are level.",
            ),
            markup.table(
                ["design", "seeds", "start", *["log loss", "AUC"] * 2],
                rows,
                groups=[("", 3), ("test, on the chip, exact products", 2), ("test, in plain numbers", 2)],
            ),
            markup.block(
                "side",
                markup.picture(
                    pictures[CURVES],
                    "Valid log loss over the epochs of each training",
                    "Log loss on valid rows after each round; the weights at each curve's lowest point are kept. "
                    "Curves that end early did not get better any more.",
                ),
                markup.picture(
                    pictures[RELIABILITY],
                    "Predicted probability against the share of clicks, in bins of as many test rows",
                    "Test rows in ten bins by their prediction. On the diagonal, of the rows that are given a "
                    "probability of .3 three in ten are clicked.",
                ),
            ),
            markup.picture(
                pictures[CONTRIBUTIONS],
                "Rise of the valid log loss without each operator",
                "What each operator contributes: the rise of log loss on valid rows when it says the same of every "
                "row, its mean. What two operators both say is missed only without both.",
            ),
        ]
    )


def by_design(found: Sequence[Retrained]) -> dict[str, list[Retrained]]:
    """The trainings of each design, under a name for people."""
    designs: dict[str, list[Retrained]] = {}
    for one in found:
        designs.setdefault(f"{one.role} ({one.design.key[:_KEY_DIGITS]})", []).append(one)
    return designs


def mean_and_deviation(values: NDArray[np.float64]) -> str:
    """ "0.5501 ± 0.0021", without the deviation where there is one value."""
    spread = f" ± {values.std(ddof=1):.4f}" if len(values) > 1 else ""
    return f"{values.mean():.4f}{spread}"


def _learning_curves(designs: Mapping[str, Sequence[Retrained]]) -> Figure:
    figure = Figure(figsize=(7.4, 4.2), layout="constrained")
    axes = figure.add_subplot()
    for (name, runs), colour in zip(designs.items(), _colours(len(designs)), strict=True):
        for place, run in enumerate(runs):
            losses = [score.logloss for score in run.history]
            epochs = np.arange(1, len(losses) + 1) * run.n_epochs / (int(np.argmin(losses)) + 1)
            axes.plot(epochs, losses, color=colour, linewidth=1.4, label=name if place == 0 else None)
    axes.set_xlabel("epochs")
    axes.set_ylabel("log loss on valid rows")
    _finish(axes)
    return figure


def _reliability(designs: Mapping[str, Sequence[Retrained]]) -> Figure:
    figure = Figure(figsize=(7.4, 4.2), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle="--")
    for (name, runs), colour in zip(designs.items(), _colours(len(designs)), strict=True):
        for place, run in enumerate(runs):
            axes.plot(
                [one.predicted for one in run.reliability],
                [one.observed for one in run.reliability],
                color=colour,
                linewidth=1.0,
                marker="o",
                markersize=3.5,
                label=name if place == 0 else None,
            )
    axes.set_xlabel("mean prediction of a bin")
    axes.set_ylabel("share of clicks in it")
    _finish(axes)
    return figure


def _contributions(designs: Mapping[str, Sequence[Retrained]]) -> Figure:
    n_bars = max(len(runs[0].contributions) for runs in designs.values())
    n_across = min(len(designs), 4)
    n_down = -(-len(designs) // n_across)
    figure = Figure(figsize=(14, n_down * (1.2 + 0.28 * n_bars)), layout="constrained")
    panels = list(np.atleast_1d(figure.subplots(n_down, n_across)).flat)
    for axes, (name, runs) in zip(panels, designs.items(), strict=False):
        operators = list(runs[0].contributions)
        rises = np.array([[run.contributions[operator] for operator in operators] for run in runs])
        axes.barh(operators, rises.mean(axis=0), color=BLUE, height=0.62)
        for place, column in enumerate(rises.T):
            axes.plot(column, [place] * len(column), color=INK, marker="|", linestyle="none", markersize=7)
        axes.invert_yaxis()
        axes.set_title(name, fontsize=10, color=INK, loc="left")
        axes.set_xlabel("rise of log loss without it")
        plain_axes(axes)
    for axes in panels[len(designs) :]:
        axes.set_axis_off()
    return figure


def _colours(n: int) -> list[str]:
    return [COLOURS[place % len(COLOURS)] for place in range(n)]


def _finish(axes: Axes) -> None:
    plain_axes(axes)
    axes.legend(frameon=False, fontsize=9)
