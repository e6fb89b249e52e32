"""Markup and words: text stays text, and every figure has a name."""

from __future__ import annotations

from dataclasses import fields

import pytest
from matplotlib.figure import Figure

from moco.design import FIGURES
from moco.report import markup
from moco.report.figures import DPI, png
from moco.report.front import SUPERNET_SCORES
from moco.report.words import COST_LABELS, HARDWARE_FIELDS, power_of_ten
from pimmodel import PimConfig

HOSTILE = "\"><script>alert('x')</script>&"


@pytest.mark.parametrize(
    "html",
    [
        markup.document(HOSTILE, ""),
        markup.element("p", HOSTILE, HOSTILE),
        markup.section(HOSTILE, ""),
        markup.links([HOSTILE]),
        markup.bullets([HOSTILE]),
        markup.terms({HOSTILE: HOSTILE}),
        markup.tiles({HOSTILE: HOSTILE}),
        markup.picture(png(Figure()), HOSTILE, HOSTILE),
        markup.table([HOSTILE], [[HOSTILE]], groups=[(HOSTILE, 1)], css=HOSTILE),
    ],
)
def test_text_never_becomes_markup(html: str) -> None:
    assert "<script" not in html
    assert '"">' not in html


def test_a_picture_has_its_size_in_inches() -> None:
    assert 'width="480"' in markup.picture(png(Figure(figsize=(5, 1))), "")  # 96 CSS pixels an inch, whatever the DPI
    assert DPI != 96


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (4096, "4,096"),
        (10**6, "1.0 × 10⁶"),
        (132 * 10**52, "1.3 × 10⁵⁴"),
        (10**6 - 1, "999,999"),
        (9_999_999, "1.0 × 10⁷"),
        (7 * 10**400, "7.0 × 10⁴⁰⁰"),
    ],
)
def test_powers_of_ten(count: int, expected: str) -> None:
    assert power_of_ten(count) == expected


def test_every_figure_and_hardware_choice_has_a_name() -> None:
    assert set(FIGURES) == {*SUPERNET_SCORES, *COST_LABELS, "generation"}
    assert [field.name for field in fields(PimConfig)] == list(HARDWARE_FIELDS)
