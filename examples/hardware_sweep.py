"""Which parameter of the chip matters? One network costed on every chip of the hardware space.

    python examples/hardware_sweep.py [NETWORK] [--calibration isaac32] [--limit N] [--out hardware_sweep.png]

NETWORK is a published one (criteo-full, kdd2012-small, ...) or a design file of `moco front --design`. The front is
taken among chips that lose nothing of an 8-bit network, as costs alone would always favour fewer bits: an ADC that
holds every column sum, 8-bit activations, tables of 8 bits or more.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from numpy.typing import NDArray

from moco.costs.lowering import lower, pim_config
from moco.design import read_design
from moco.files import write_whole
from moco.report.figures import BLUE, FAINT, INK, MUTED, PAPER, VERMILLION, log_ticks, plain_axes, png
from pimmodel import PimConfig, Workload, estimate, find_calibration
from pimmodel.numerics import required_adc_bits
from spaces import HARDWARE_SPACE, PUBLISHED_NETWORKS, ArchitectureBatch, Space
from studies.front import is_non_dominated

FIELDS = {"criteo": (13, 26), "avazu": (1, 23), "kdd2012": (3, 10)}  # dense and categorical
COSTS = ("energy_pj", "latency_ns", "area_mm2")
LABELS = ("energy of one inference, pJ", "latency of one inference, ns", "chip area, mm²")
AT_ONCE = 50_000
LEAST_CHIPS = 100
DISTINCT = HARDWARE_SPACE.with_choices({"adc_range": ("full-scale",)})  # the range changes accuracy, not cost


@dataclass(frozen=True)
class Sweep:
    """n chips of a space: their numbers in its product, (n, 3) costs, (n,) whether they lose nothing and the front."""

    space: Space
    numbers: NDArray[np.int64]
    costs: NDArray[np.float64]
    is_exact: NDArray[np.bool_]
    is_front: NDArray[np.bool_]

    def choice(self, name: str) -> NDArray[np.int64]:
        """(n,) index of each chip's choice in a block."""
        column = self.space.column(name)
        return self.numbers // int(self.space.n_choices[column + 1 :].prod()) % int(self.space.n_choices[column])

    def explained(self, name: str) -> NDArray[np.float64]:
        """(3,) share of the variance of each cost's logarithm that a parameter alone explains, its main effect."""
        logs, choice = np.log(self.costs), self.choice(name)
        n_chips = np.bincount(choice).astype(np.float64)
        means = np.stack([np.bincount(choice, column) for column in logs.T], axis=1) / n_chips[:, None]
        between, total = n_chips @ (means - logs.mean(axis=0)) ** 2 / len(logs), logs.var(axis=0)
        shares: NDArray[np.float64] = np.divide(between, total, out=np.zeros(len(COSTS)), where=total > 0)
        return shares


def sweep(workload: Workload, space: Space, calibration: str, limit: int) -> Sweep:
    """Costs every chip of a space, or `limit` of them drawn at random; at most AT_ONCE are built at a time."""
    size = space.cardinality
    if limit < min(LEAST_CHIPS, size):
        raise ValueError(f"limit must be at least {LEAST_CHIPS}, so that every choice is seen, got {limit}")
    numbers = np.arange(size) if limit >= size else np.sort(np.random.default_rng(0).choice(size, limit, replace=False))
    constants = find_calibration(calibration)
    costs, is_exact = np.empty((len(numbers), len(COSTS))), np.empty(len(numbers), dtype=np.bool_)
    for rows, chips in chips_of(space, numbers):
        result = estimate(workload, chips, constants, by_operator=False)
        costs[rows] = np.stack([getattr(result, name) for name in COSTS], axis=1)
        is_exact[rows] = (
            (np.asarray(chips.adc_bits) >= required_adc_bits(chips))
            & (np.asarray(chips.activation_bits) == 8)
            & (np.asarray(chips.table_bits) >= 8)
        )
    is_front = np.zeros(len(numbers), dtype=np.bool_)
    is_front[np.flatnonzero(is_exact)[is_non_dominated(costs[is_exact])]] = True
    return Sweep(space, numbers, costs, is_exact, is_front)


def chips_of(space: Space, numbers: NDArray[np.int64]) -> Iterator[tuple[slice, PimConfig]]:
    """The numbered chips of a space's product, some at a time."""
    for start in range(0, len(numbers), AT_ONCE):
        rows = slice(start, start + AT_ONCE)
        indices = np.unravel_index(numbers[rows], tuple(space.n_choices.tolist()))
        values = {
            block.name: np.array(block.choices)[index] for block, index in zip(space.blocks, indices, strict=True)
        }
        yield rows, pim_config(values)


def picture(done: Sweep, title: str) -> Figure:
    """Above, every chip by crossbar size, with the front; below, what each choice of each parameter leads to."""
    blocks = [block for block in done.space.blocks if len(block.choices) > 1]
    n_lines = sum(len(block.choices) + 1 for block in blocks)
    figure = Figure(figsize=(15, 6.2 + 0.19 * n_lines), layout="constrained")
    figure.suptitle(title, fontsize=13, color=INK)
    above, below = cast(
        "list[SubFigure]", np.asarray(figure.subfigures(2, 1, height_ratios=(6.0, 0.19 * n_lines))).tolist()
    )
    for axes, (across, up) in zip(list(above.subplots(1, 3)), ((0, 1), (0, 2), (1, 2)), strict=True):
        scatter(axes, done, across, up)
    handles, labels = above.axes[0].get_legend_handles_labels()
    above.legend(handles, labels, loc="outside lower center", ncols=6, frameon=False, fontsize=10, markerscale=2.2)
    below.suptitle(
        "what each choice leads to: median, middle half and middle nine tenths of its chips;  "
        "%: share of the variance of the logarithm that the parameter alone explains",
        fontsize=10,
        color=MUTED,
    )
    for cost, axes in enumerate(list(below.subplots(1, 3, sharey=True))):
        spread(axes, done, cost)
    return figure


def scatter(axes: Axes, done: Sweep, across: int, up: int) -> None:
    """One dot for each place that chips of a crossbar size take, in random order so that no size hides another."""
    logs = np.log10(done.costs[:, [across, up]])
    low, high = logs.min(axis=0), logs.max(axis=0)
    places = ((logs - low) / np.where(high > low, high - low, 1.0) * 240).round().astype(np.int64)
    sizes = done.choice("crossbar_size")
    cells = np.unique(np.column_stack([places, sizes]), axis=0)
    cells = np.random.default_rng(0).permutation(cells)
    x, y = (10 ** (low[axis] + cells[:, axis] / 240 * (high - low)[axis]) for axis in (0, 1))
    choices = done.space.blocks[done.space.column("crossbar_size")].choices
    colours = colormaps["plasma"](np.linspace(0.0, 0.88, len(choices)))
    axes.scatter(x, y, s=3.5, c=colours[cells[:, 2]], alpha=0.5, linewidths=0)
    for size, colour in zip(choices, colours, strict=True):
        axes.scatter([], [], s=12, color=colour, label=f"crossbars of {size}")
    front = done.costs[done.is_front]
    axes.scatter(
        front[:, across],
        front[:, up],
        s=15,
        color=INK,
        edgecolors=PAPER,
        linewidths=0.5,
        label="front of the chips that lose nothing",
        zorder=3,
    )
    axes.set(xscale="log", yscale="log", xlabel=LABELS[across], ylabel=LABELS[up])
    plain_axes(axes)
    log_ticks(axes.xaxis, done.costs[:, across])
    log_ticks(axes.yaxis, done.costs[:, up])


def spread(axes: Axes, done: Sweep, cost: int) -> None:
    """For each choice the 5 % to 95 % and 25 % to 75 % bands and the median, with what the parameter explains."""
    values, line, ticks, names = done.costs[:, cost], 0.0, [], []
    shares = {block.name: float(done.explained(block.name)[cost]) for block in done.space.blocks}
    for place, block in enumerate(block for block in done.space.blocks if len(block.choices) > 1):
        choice = done.choice(block.name)
        top = line - 0.7
        for index, value in enumerate(block.choices):
            p5, p25, p50, p75, p95 = np.quantile(values[choice == index], (0.05, 0.25, 0.5, 0.75, 0.95))
            colour = VERMILLION if shares[block.name] >= 0.1 else BLUE
            axes.plot([p5, p95], [line, line], color=colour, linewidth=1.0, alpha=0.8, solid_capstyle="butt")
            axes.plot([p25, p75], [line, line], color=colour, linewidth=5.0, alpha=0.45, solid_capstyle="butt")
            axes.plot([p50], [line], marker="o", markersize=4, color=colour)
            ticks.append(line)
            names.append(f"{block.name}  {value}" if index == 0 else f"{value}")
            line += 1.0
        if place % 2 == 0:
            axes.axhspan(top, line - 0.3, color=FAINT, alpha=0.22, linewidth=0)
        axes.annotate(
            f"{shares[block.name]:.0%}" if shares[block.name] >= 0.005 else "<1%",
            (1.0, (top + line - 0.3) / 2),
            xycoords=("axes fraction", "data"),
            xytext=(-4, 0),
            textcoords="offset points",
            ha="right",
            va="center",
            fontsize=9.5,
            fontweight="bold" if shares[block.name] >= 0.1 else "normal",
            color=VERMILLION if shares[block.name] >= 0.1 else MUTED,
        )
        line += 1.0
    axes.set(xscale="log", xlabel=LABELS[cost], ylim=(line - 0.8, -1.0))
    plain_axes(axes)
    axes.grid(visible=False, axis="y")
    low, high = np.quantile(values, (0.01, 0.99))
    axes.set_xlim(low, high * (high / low) ** 0.16)
    log_ticks(axes.xaxis, [low, high])
    axes.set_yticks(ticks, names, fontsize=9, color=INK)
    axes.tick_params(axis="y", length=0)


def the_network(name: str, table_rows: int) -> Workload:
    """A published network on its data set's fields, or what a design file holds."""
    if name in PUBLISHED_NETWORKS:
        n_dense, n_categorical = FIELDS[name.partition("-")[0]]
        network, cardinalities = PUBLISHED_NETWORKS[name], (table_rows,) * n_categorical
    else:
        given = read_design(Path(name).read_text())
        network, n_dense, cardinalities = given.architecture, given.n_dense or 0, given.cardinalities or ()
        if not cardinalities:
            raise ValueError(f"{name} does not say what data it is for: give a design of 'moco front --design'")
    return lower(ArchitectureBatch.of([network]), n_dense, cardinalities)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", nargs="?", default="kdd2012-full", help="published network or design file")
    parser.add_argument("--table-rows", type=int, default=10_000, help="rows of each table of a published network")
    parser.add_argument("--calibration", default="isaac32", help="of the hardware model")
    parser.add_argument(
        "--limit", type=int, default=1_000_000, help="most chips to cost, drawn at random where the space has more"
    )
    parser.add_argument("--out", type=Path, default=Path("hardware_sweep.png"), help="the picture")
    given = parser.parse_args()

    space, start_s = DISTINCT, time.perf_counter()
    try:
        workload = the_network(given.network, given.table_rows)
        done = sweep(workload, space, given.calibration, given.limit)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    seconds = time.perf_counter() - start_s
    n_chips, front = len(done.numbers), done.costs[done.is_front]
    print(f"{HARDWARE_SPACE.cardinality:,} chips in the space, {space.cardinality:,} of different cost (any adc_range)")
    print(f"{n_chips:,} costed in {seconds:.1f} s: {n_chips / seconds:,.0f} designs/s")
    print(f"{done.is_exact.sum():,} lose nothing of an 8-bit network; {len(front):,} of them on the front\n")

    print(f"{'share of variance explained':<28}" + "".join(f"{name:>12}" for name in COSTS))
    blocks = [block.name for block in space.blocks if len(block.choices) > 1]
    for name in sorted(blocks, key=lambda name: -float(done.explained(name).max())):
        print(f"{name:<28}" + "".join(f"{share:>12.1%}" for share in done.explained(name)))
    print("\nfront, evenly spread over energy:")
    rows = np.flatnonzero(done.is_front)[np.argsort(front[:, 0])]
    for row in rows[np.unique(np.linspace(0, max(len(rows) - 1, 0), min(8, len(rows))).astype(int))]:
        _, chips = next(chips_of(space, done.numbers[row : row + 1]))
        chip = chips.take(0)
        energy_pj, latency_ns, area_mm2 = done.costs[row]
        print(
            f"{energy_pj:>13,.0f} pJ {latency_ns:>11,.0f} ns {area_mm2:>8.3f} mm2   {chip.crossbar_size} wide, "
            f"{chip.n_active_wordlines} driven, cell {chip.cell_bits}b, DAC {chip.dac_bits}b, ADC {chip.adc_bits}b per "
            f"{chip.columns_per_adc} columns, {chip.n_copies} copies, products {chip.product_unit}, {chip.table_memory}"
        )
    title = f"{Path(given.network).name} on {n_chips:,} of {space.cardinality:,} chips, calibration {given.calibration}"
    write_whole(given.out, png(picture(done, title)))
    print(f"\n{given.out}")


if __name__ == "__main__":
    main()
