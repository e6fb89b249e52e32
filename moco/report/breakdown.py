"""Where the energy and area of one design go: by operator, stacked by component, and by component alone."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from moco.report.figures import COMPONENT_COLOURS, INK, MUTED, PICTURE_KINDS, component_label, plain_axes, short_number
from pimmodel import Breakdown

_OPERATORS_SHOWN = 14
_NUMBER_SPACE = 1.16
"""Room for a number behind the longest bar, as a multiple of its length."""


def picture_kind(path: Path) -> str:
    """The kind of picture that a file's name asks for, one of PICTURE_KINDS.

    Raises:
        ValueError: The name ends in none of them.
    """
    kind = path.suffix.lower().removeprefix(".")
    if kind not in PICTURE_KINDS:
        suffixes = ", ".join(f".{known}" for known in PICTURE_KINDS)
        raise ValueError(f"a picture's name must end in {suffixes}, got {path.name!r}")
    return kind


def breakdown_figure(parts: Breakdown, title: str = "") -> Figure:
    """Energy on the left and area on the right; above, the operators that take most, below, the components.

    Args:
        parts: One design, B = 1.
        title: Above the panels.

    Raises:
        ValueError: The breakdown holds several designs.
    """
    if len(parts.energy_pj) != 1:
        raise ValueError(f"a breakdown figure shows one design, got {len(parts.energy_pj)}")
    n_rows = min(len(parts.operators), _OPERATORS_SHOWN + 1)
    n_components = len(parts.components)
    figure = Figure(figsize=(14, 1.9 + 0.29 * (n_rows + n_components)), layout="constrained")
    panels = figure.subplots(2, 2, height_ratios=(n_rows + 1, n_components + 1))
    for column, (table, quantity, unit) in enumerate(
        ((parts.energy_pj[0], "energy of one inference", "pJ"), (parts.area_mm2[0], "area", "mm2"))
    ):
        operators, components = cast("tuple[Axes, Axes]", (panels[0, column], panels[1, column]))
        unit_text = "mm²" if unit == "mm2" else unit
        _by_operator(operators, parts.operators, table)
        operators.set_xlabel(f"{quantity} by operator, {unit_text}")
        _by_component(components, parts.components, table.sum(axis=0))
        components.set_xlabel(f"{quantity} by component, {unit_text}")
    if title:
        figure.suptitle(title, fontsize=12, color=INK)
    return figure


def _by_operator(axes: Axes, names: tuple[str, ...], table: NDArray[np.float64]) -> None:
    """One bar an operator, largest above, stacked by component; what the rest takes as a number."""
    total = table.sum(axis=1)
    order = np.argsort(-total, kind="stable")
    n_shown = len(order) if len(order) <= _OPERATORS_SHOWN + 1 else _OPERATORS_SHOWN
    shown, rest = order[:n_shown], order[n_shown:]
    left = np.zeros(len(shown))
    for colour, width in zip(COMPONENT_COLOURS.values(), table[shown].T, strict=True):
        axes.barh(np.arange(len(shown)), width, left=left, color=colour, height=0.72)
        left += width
    labels = [names[place] for place in shown]
    if rest.size:
        labels.append(f"{rest.size} others")
    _finish(axes, labels, left, float(total.sum()))
    if rest.size:
        text = f"{_amount(float(total[rest].sum()), float(total.sum()))} together, not drawn"
        _note(axes, 0.0, len(shown), text)


def _by_component(axes: Axes, names: tuple[str, ...], values: NDArray[np.float64]) -> None:
    axes.barh(np.arange(len(names)), values, color=list(COMPONENT_COLOURS.values()), height=0.72)
    _finish(axes, [component_label(name) for name in names], values, float(values.sum()))


def _finish(axes: Axes, labels: list[str], ends: NDArray[np.float64], total: float) -> None:
    """Names on the left, each bar's value and share at its end."""
    plain_axes(axes)
    axes.grid(visible=False, axis="y")
    axes.set_yticks(np.arange(len(labels)), labels, fontsize=9, color=INK)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    longest = float(ends.max(initial=0.0))
    axes.set_xlim(0, _NUMBER_SPACE * longest if longest > 0 else 1.0)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_major_formatter(lambda value, _: short_number(value) if value > 0 else "0")
    for row, end in enumerate(ends.tolist()):
        _note(axes, end, row, _amount(end, total))


def _amount(value: float, total: float) -> str:
    """A value and its share of the total."""
    if value <= 0:
        return "0"
    share = value / total
    return f"{short_number(value)}  {f'{share:.0%}' if share >= 0.01 else '<1%'}"


def _note(axes: Axes, end: float, row: int, text: str) -> None:
    axes.annotate(text, (end, row), xytext=(4, 0), textcoords="offset points", va="center", fontsize=8.5, color=MUTED)
