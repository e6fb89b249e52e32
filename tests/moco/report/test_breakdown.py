"""Breakdown figures show the numbers they are given, and go whole into every kind of file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from moco.report.breakdown import breakdown_figure, picture_kind
from moco.report.figures import COMPONENT_COLOURS, component_label, picture
from pimmodel import COMPONENTS, Breakdown


def parts(n_operators: int, n_designs: int = 1) -> Breakdown:
    """Operator i takes i + 1 pJ in its component i mod C and twice that in the next, and half the numbers in mm2."""
    energy_pj = np.zeros((n_designs, n_operators, len(COMPONENTS)))
    for row in range(n_operators):
        energy_pj[:, row, row % len(COMPONENTS)] = row + 1
        energy_pj[:, row, (row + 1) % len(COMPONENTS)] = 2 * (row + 1)
    counts = np.ones((n_designs, n_operators))
    return Breakdown(
        operators=tuple(f"operator {row}" for row in range(n_operators)),
        components=COMPONENTS,
        energy_pj=energy_pj,
        time_ns=energy_pj,
        area_mm2=energy_pj / 2,
        n_crossbars=counts,
        n_tiles=counts,
        n_used_cells=counts,
    )


def bars(figure: Figure, panel: int) -> list[Rectangle]:
    return [patch for patch in figure.axes[panel].patches if isinstance(patch, Rectangle) and patch.get_width() > 0]


@pytest.mark.parametrize("n_operators", [1, 15, 40])
def test_bars_are_the_numbers(n_operators: int) -> None:
    given = parts(n_operators)
    figure = breakdown_figure(given, "A design")
    by_operator, by_component = given.energy_pj[0].sum(axis=1), given.energy_pj[0].sum(axis=0)
    n_shown = n_operators if n_operators <= 15 else 14
    for panel, factor in ((0, 1.0), (1, 0.5)):
        drawn = sum(bar.get_width() for bar in bars(figure, panel))
        assert drawn == pytest.approx(factor * np.sort(by_operator)[-n_shown:].sum())
        labels = [text.get_text() for text in figure.axes[panel].get_yticklabels()]
        assert labels[0] == f"operator {n_operators - 1}"
        assert labels[n_shown:] == ([] if n_shown == n_operators else [f"{n_operators - n_shown} others"])
    for panel, factor in ((2, 1.0), (3, 0.5)):
        widths = sorted(bar.get_width() for bar in bars(figure, panel))
        np.testing.assert_allclose(widths, np.sort(factor * by_component[by_component > 0]))


def test_units_and_shares_are_written() -> None:
    figure = breakdown_figure(parts(40))
    assert [axes.get_xlabel().split(", ")[-1] for axes in figure.axes] == ["pJ", "mm²", "pJ", "mm²"]
    texts = [text.get_text() for text in figure.axes[0].texts]
    # Operators 40 to 27 of 1 to 40, three pJ for each: 120 of 2460 pJ, and 1053 for those not drawn.
    assert texts[0] == "120  5%"
    assert texts[-1] == "1.05k  43% together, not drawn"
    assert [text.get_text() for text in figure.axes[2].get_yticklabels()] == [*map(component_label, COMPONENTS)]


def test_a_component_has_one_colour_in_all_panels() -> None:
    figure = breakdown_figure(parts(1))
    expected = {COMPONENT_COLOURS[COMPONENTS[0]], COMPONENT_COLOURS[COMPONENTS[1]]}
    for panel in range(4):
        assert {to_hex(bar.get_facecolor()).upper() for bar in bars(figure, panel)} == expected


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_equal_figures_give_equal_files(suffix: str) -> None:
    first, second = (picture(breakdown_figure(parts(3)), picture_kind(Path(f"a{suffix}"))) for _ in range(2))
    assert first == second
    assert first[:5] in (b"\x89PNG\r", b"<?xml", b"%PDF-")


def test_refusals() -> None:
    with pytest.raises(ValueError, match=r"must end in \.png, \.svg, \.pdf, got 'a\.gif'"):
        picture_kind(Path("a.gif"))
    with pytest.raises(ValueError, match="shows one design, got 2"):
        breakdown_figure(parts(3, n_designs=2))
