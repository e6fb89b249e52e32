"""How every figure looks: one palette, plain axes, logarithmic costs, the same bytes for the same content."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from numpy.typing import ArrayLike

from pimmodel import COMPONENTS

# Okabe and Ito, jfly.uni-koeln.de/color: told apart with any common colour blindness.
BLUE, VERMILLION, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
INK, MUTED, FAINT, PAPER = "#1B1F24", "#5B6570", "#C9CED4", "#FFFFFF"

# Paul Tol's "muted" scheme: ten colours for the ten components.
COMPONENT_COLOURS: Mapping[str, str] = dict(
    zip(
        COMPONENTS,
        (
            "#332288",
            "#88CCEE",
            "#44AA99",
            "#999933",
            "#DDCC77",
            "#117733",
            "#CC6677",
            "#AA4499",
            "#882255",
            "#BBBBBB",
        ),
        strict=True,
    )
)

AXIS_LABELS = {
    "logloss": "log loss on valid rows\n(supernet score)",
    "energy_pj": "energy of one inference, pJ",
    "latency_ns": "latency of one inference, ns",
}
DPI = 160
_DATED_BY = {"png": "Software", "svg": "Date", "pdf": "CreationDate"}
PICTURE_KINDS = tuple(_DATED_BY)
"""Kinds of picture file."""
_DECADES_WITH_STEPS = 2.2
"""Axes that span fewer decades have ticks at 2 and 5 as well."""


def component_label(component: str) -> str:
    """A component's name for people: "ADC", "sample hold"."""
    return component.upper() if component in ("adc", "dac") else component.replace("_", " ")


def png(figure: Figure) -> bytes:
    """The figure as a PNG file; equal figures give equal bytes."""
    return picture(figure, "png")


def picture(figure: Figure, kind: str) -> bytes:
    """The figure as a file of one of PICTURE_KINDS; equal figures give equal bytes."""
    content = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "moco", "pdf.fonttype": 42}):
        figure.savefig(content, format=kind, dpi=DPI, facecolor=PAPER, metadata={_DATED_BY[kind]: None})
    return content.getvalue()


def plain_axes(axes: Axes) -> None:
    """Two thin spines and a faint grid behind the data."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(MUTED)
    axes.tick_params(colors=MUTED, labelsize=9)
    axes.grid(color=FAINT, linewidth=0.5, alpha=0.6)
    axes.set_axisbelow(True)
    for axis in (axes.xaxis, axes.yaxis):
        axis.label.set_color(INK)
        axis.label.set_fontsize(10)


def log_ticks(axis: Axis, values: ArrayLike, *, is_exponent: bool = False) -> None:
    """Ticks of a logarithmic axis at round numbers around positive values.

    Args:
        axis: Of axes in logarithmic scale, or in linear scale over exponents of ten.
        values: What is drawn; its range decides how many ticks there are.
        is_exponent: Whether the axis is linear over exponents.
    """
    low, high = (math.log10(bound) for bound in (np.min(values), np.max(values)))
    steps = (1, 2, 5) if high - low < _DECADES_WITH_STEPS else (1,)
    ticks = [step * 10.0**decade for decade in range(math.floor(low) - 1, math.ceil(high) + 2) for step in steps]
    axis.set_major_locator(FixedLocator([math.log10(tick) for tick in ticks] if is_exponent else ticks))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: short_number(10**value if is_exponent else float(value))))


def short_number(value: float) -> str:
    """A positive number of few digits for a tick: 500, 20k, 1.5M, 2G."""
    for limit, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= limit * (1 - 1e-9):
            return f"{value / limit:.3g}{suffix}"
    return f"{value:.3g}"
