"""Chips in the report: those of the chosen designs, and others for the same networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from moco.report import markup
from moco.report.front import figure_text
from moco.report.inputs import ReportInputs
from moco.report.plots import letter
from moco.report.words import COST_LABELS, HARDWARE_FIELDS
from moco.search.best_chip import WORDS
from pimmodel import PimConfig
from pimmodel.numerics import required_adc_bits

_CHIP_COSTS = ("energy_pj", "latency_ns", "period_ns", "area_mm2", "power_mw")


def hardware_section(inputs: ReportInputs) -> str:
    """The chip of each chosen design, and what its network costs on other ones."""
    rows = []
    for field in fields(PimConfig):
        label, unit = HARDWARE_FIELDS[field.name]
        rows.append([label, unit, *(str(getattr(design.hardware, field.name)) for _, design in inputs.chosen)])
    lossless = [str(int(required_adc_bits(chip))) for chip in (design.hardware for _, design in inputs.chosen)]
    rows.append(["ADC resolution that loses nothing", "bits", *lossless])
    names = [f"{letter(position)} · {role}" for position, (role, _) in enumerate(inputs.chosen)]
    parts = [
        markup.element("p", "The chip of each chosen design; all operators of a network run on crossbars of one kind."),
        markup.table(["", "unit", *names], rows, css="key"),
    ]
    if inputs.other_chips:
        parts += [markup.element("h3", "The same networks on other chips"), _other_chips(inputs, names)]
    return "\n".join(parts)


def _other_chips(inputs: ReportInputs, names: Sequence[str]) -> str:
    """What each chosen network costs on its own chip and on the best ones for it."""
    rows = []
    for name, (_, own) in zip(names, inputs.chosen, strict=True):
        if own.key in inputs.other_chips:
            chips = {"its own": own, **{WORDS[goal]: it for goal, it in inputs.other_chips[own.key].items()}}
            for place, (which, design) in enumerate(chips.items()):
                costs = [figure_text(cost, getattr(design, cost)) for cost in _CHIP_COSTS]
                rows.append([name if place == 0 else "", which, *costs])
    about = (
        "None of these chips loses anything, so a network is as accurate on each of them. The search chose among few "
        "chips for each network; 'moco retrain --design KEY --chip energy' trains one for the chip of least energy."
    )
    headings = ["design", "chip", *(COST_LABELS[cost] for cost in _CHIP_COSTS)]
    return "\n".join([markup.element("p", about), markup.table(headings, rows)])
