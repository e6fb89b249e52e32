"""The picture of a pruning: accuracy on the chip against the energy of one inference."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from moco.pruning.curve import PruningCurve, score_arrays
from moco.report.figures import AXIS_LABELS, BLUE, FAINT, INK, MUTED, ORANGE, plain_axes, short_number

_PANELS = (("logloss", "log loss on test rows"), ("auc", "AUC on test rows"))


def pruning_figure(curve: PruningCurve) -> Figure:
    """Log loss and AUC over energy, a point a round, means over seeds; bars are standard deviations over seeds."""
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    panels: Sequence[Axes] = list(figure.subplots(1, 2))
    for axes, (name, label) in zip(panels, _PANELS, strict=True):
        _panel(axes, curve, name)
        axes.set_ylabel(label)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False, fontsize=10)
    figure.suptitle(
        f"{curve.criterion}, {curve.way}, {curve.share:.0%} of the products a round", fontsize=10, color=INK
    )
    return figure


def _panel(axes: Axes, curve: PruningCurve, name: str) -> None:
    rounds = curve.by_number
    energy_pj = [sum(one.energy_pj for one in ones) / len(ones) for ones in rounds]
    n_macs = [sum(one.macs for one in ones) / len(ones) for ones in rounds]
    for part, colour, marker, label in (
        ("test", ORANGE, "s", "in plain numbers"),
        ("chip_test", BLUE, "o", "on the design's chip"),
    ):
        values = [score_arrays(ones, part, name) for ones in rounds]
        means = [float(one.mean()) for one in values]
        spreads = [float(one.std(ddof=1)) if len(one) > 1 else 0.0 for one in values]
        axes.errorbar(
            energy_pj,
            means,
            spreads,
            color=colour,
            marker=marker,
            markersize=4.5,
            linewidth=1.2,
            capsize=2,
            label=label,
        )
        if part == "chip_test":
            for across, up, macs in zip(energy_pj, means, n_macs, strict=True):
                axes.annotate(
                    f"{macs / n_macs[0]:.0%}",
                    (across, up),
                    xytext=(4, 6),
                    textcoords="offset points",
                    fontsize=8,
                    color=MUTED,
                )
    axes.axhline(float(score_arrays(rounds[0], "chip_test", name).mean()), color=FAINT, linewidth=0.8, zorder=0)
    axes.set_xlabel(f"{AXIS_LABELS['energy_pj']}\n(beside each point: multiply-accumulates left)")
    axes.set_xlim(left=0)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short_number(value) if value > 0 else "0"))
    plain_axes(axes)
