"""Do other cost models choose the same designs? One study, costed again under every calibration.

    python examples/which_calibration.py [RUN] [--trials 400] [--out which_calibration.png]

RUN is the folder of a `moco run`; without one a small study is made first, on data with planted interactions. Energies
of published models differ a hundredfold; this asks whether the order of designs, and the front, survives that. Only
designs that the one search visited are compared: a search under another calibration visits others.
"""

from __future__ import annotations

import argparse
import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from numpy.typing import NDArray
from scipy.stats import spearmanr

import moco
from moco.files import write_whole
from moco.report.figures import (
    BLUE,
    FAINT,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    PAPER,
    VERMILLION,
    log_ticks,
    plain_axes,
    png,
)
from pimmodel import CALIBRATIONS
from studies.front import is_non_dominated

COSTS = ("energy_pj", "latency_ns", "area_mm2")
LABELS = {"energy_pj": "energy, pJ", "latency_ns": "latency, ns", "area_mm2": "area, mm²"}
COLOURS = (VERMILLION, GREEN, ORANGE, INK)


@dataclass(frozen=True)
class Recosted:
    """A study's n feasible designs: (n,) log loss, (n, 3) costs and (n,) front by calibration, the search's own one."""

    logloss: NDArray[np.float64]
    costs: dict[str, NDArray[np.float64]]
    is_front: dict[str, NDArray[np.bool_]]
    own: str

    @property
    def others(self) -> list[str]:
        """Calibrations that the search did not use."""
        return [name for name in self.costs if name != self.own]


def recosted(study: moco.CodesignStudy) -> Recosted:
    """A study's feasible designs under every calibration; the front minimises log loss, energy and latency."""
    trials = study.study.trials()
    trials = trials.select(trials.is_feasible)
    if len(trials) == 0:
        raise SystemExit("no design of this study keeps its limits: there is no front to compare")
    costs, is_front = {}, {}
    for name, calibration in (CALIBRATIONS | {study.calibration.name: study.calibration}).items():
        result = moco.design_costs(study.data, study.space, trials.genomes, calibration).estimate
        costs[name] = np.stack([getattr(result, cost) for cost in COSTS], axis=1)
        is_front[name] = is_non_dominated(np.column_stack([trials.values[:, 0], costs[name][:, :2]]))
    return Recosted(trials.values[:, 0], costs, is_front, study.calibration.name)


def spearman(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Correlation of ranks; NaN where one of them has a single value."""
    return float(spearmanr(first, second).statistic) if np.ptp(first) > 0 < np.ptp(second) else float("nan")


def jaccard(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Designs in both sets over designs in either."""
    return float((first & second).sum() / (first | second).sum())


def tables(done: Recosted) -> str:
    """How alike the calibrations rank, and how much of the front they share."""
    own_front, everything = done.is_front[done.own], np.ones(len(done.logloss), dtype=np.bool_)
    n_front = int(own_front.sum())
    lines = [
        f"Spearman's rank correlation over {'all ' + format(len(everything), ',') + ' designs':<31}"
        f"the front's {n_front:,} ({done.own})",
        f"{'':<30}" + 2 * ("".join(f"{name:>12}" for name in COSTS) + "  "),
    ]
    for first, second in itertools.combinations(done.costs, 2):
        cells = [
            "".join(
                f"{spearman(done.costs[first][rows, cost], done.costs[second][rows, cost]):>12.2f}"
                for cost in range(len(COSTS))
            )
            for rows in (everything, own_front)
        ]
        lines.append(f"{first + ', ' + second:<30}" + "  ".join(cells))
    lines += ["", f"{'front under':<20}{'designs':>9}{'kept of the front under ' + done.own:>34}{'Jaccard':>10}"]
    for name, is_front in done.is_front.items():
        n_kept = int((is_front & own_front).sum())
        kept = f"{n_kept} of {n_front}, {n_kept / n_front:.0%}"
        lines.append(f"{name:<20}{is_front.sum():>9,}{kept:>34}{jaccard(is_front, own_front):>10.2f}")
    everywhere = np.logical_and.reduce(list(done.is_front.values()))
    lines.append(f"on the front under every calibration: {everywhere.sum():,} designs")
    return "\n".join(lines)


def picture(done: Recosted) -> Figure:
    """Above, costs under the search's calibration against the others; below, the front under each."""
    figure = Figure(figsize=(15, 10.4), layout="constrained")
    above, below = cast("list[SubFigure]", np.asarray(figure.subfigures(2, 1)).tolist())
    for cost, axes in enumerate(list(above.subplots(1, 3))):
        against(axes, done, cost)
    above.suptitle(f"every design's costs under {done.own}, which the search used, and under the others", fontsize=12)
    panels = np.atleast_1d(below.subplots(1, len(done.costs), sharey=True))
    for name, axes in zip(done.costs, panels, strict=True):
        front(axes, done, name)
    panels[0].set_ylabel("log loss on valid rows (supernet score)")
    handles, labels = panels[0].get_legend_handles_labels()
    below.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize=10, markerscale=1.3)
    below.suptitle("the front of log loss, energy and latency under each", fontsize=12)
    return figure


def against(axes: Axes, done: Recosted, cost: int) -> None:
    """One cost of every design, the search's calibration across, the others up."""
    own, is_front = done.costs[done.own][:, cost], done.is_front[done.own]
    low, high = own.min(), own.max()
    axes.plot([low, high], [low, high], color=MUTED, linewidth=1.0, linestyle=(0, (4, 3)), label="equal")
    seen = [own]
    for name, colour in zip(done.others, itertools.cycle(COLOURS)):
        other = done.costs[name][:, cost]
        seen.append(other)
        axes.scatter(own, other, s=9, color=colour, alpha=0.35, linewidths=0)
        axes.scatter(own[is_front], other[is_front], s=20, color=colour, edgecolors=PAPER, linewidths=0.5, zorder=3)
        axes.scatter([], [], s=20, color=colour, label=f"{name}: rank correlation {spearman(own, other):.2f}")
    label = LABELS[COSTS[cost]]
    axes.set(xscale="log", yscale="log", xlabel=f"{label}, {done.own}", ylabel=label)
    plain_axes(axes)
    log_ticks(axes.xaxis, own)
    log_ticks(axes.yaxis, np.concatenate(seen))
    axes.legend(loc="best", frameon=True, framealpha=0.9, edgecolor=FAINT, fontsize=9)


def front(axes: Axes, done: Recosted, name: str) -> None:
    """Log loss over energy: what is on the front under this calibration and under the search's."""
    energy_pj, logloss = done.costs[name][:, 0], done.logloss
    here, there = done.is_front[name], done.is_front[done.own]
    axes.scatter(energy_pj, logloss, s=8, color=FAINT, linewidths=0, label="evaluated, feasible")
    for rows, colour, fill, label in (
        (here & there, BLUE, BLUE, "on this front and the search's"),
        (here & ~there, VERMILLION, VERMILLION, "on this front only"),
        (~here & there, BLUE, PAPER, "on the search's front only"),
    ):
        axes.scatter(
            energy_pj[rows], logloss[rows], s=30, facecolors=fill, edgecolors=colour, linewidths=1.2, label=label
        )
    axes.set(xscale="log", xlabel="energy of one inference, pJ")
    shared = f", Jaccard {jaccard(here, there):.2f}" if name != done.own else ", used by the search"
    axes.set_title(f"{name}: {here.sum():,} on the front{shared}", fontsize=10, color=INK)
    plain_axes(axes)
    log_ticks(axes.xaxis, energy_pj)
    seen = np.logical_or.reduce(list(done.is_front.values()))
    low, high = logloss[seen].min(), max(logloss[seen].max(), float(np.quantile(logloss, 0.9)))
    axes.set_ylim(low - 0.06 * (high - low), high + 0.06 * (high - low))


def small_study(n_trials: int, n_rows: int) -> moco.CodesignStudy:
    """A search of a minute or less, on data with planted interactions."""
    data = moco.load_dataset("synthetic", n_rows=n_rows, n_fields=6, n_dense=3, max_cardinality=100)
    space = moco.codesign_space(data, n_blocks=3)
    supernet = moco.train_supernet(data, space, settings=moco.TrainSettings(epochs=2))
    study = moco.create_study("which-calibration", data, space, supernet, population_size=50, n_jobs=1)
    study.optimize(n_trials)
    return study


def stored_study(folder: Path) -> moco.CodesignStudy:
    """The study of a run's folder."""
    from moco.runs.run import Run

    return Run.reopen(folder).stored_study()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="?", type=Path, help="folder of a run; a small study is made when left out")
    parser.add_argument("--trials", type=int, default=400, help="designs of the small study")
    parser.add_argument("--rows", type=int, default=6000, help="rows of the small study's data")
    parser.add_argument("--out", type=Path, default=Path("which_calibration.png"), help="the picture")
    given = parser.parse_args()

    try:
        study = small_study(given.trials, given.rows) if given.run is None else stored_study(given.run)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    done = recosted(study)
    print(tables(done))
    write_whole(given.out, png(picture(done)))
    print(f"\n{given.out}")


if __name__ == "__main__":
    main()
