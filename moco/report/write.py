"""Writes the report of a search into a folder: the page, its pictures, and the front for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from moco.design import Design
from moco.files import write_text_whole, write_whole
from moco.report import plots
from moco.report.figures import png
from moco.report.front import front_csv, front_json, trained_means
from moco.report.graph import network_figure, picture_name
from moco.report.inputs import ReportInputs
from moco.report.page import page_html
from moco.report.retrained import retrained_figures

if TYPE_CHECKING:
    from studies import Trials


def write_report(inputs: ReportInputs, folder: Path) -> Path:
    """Writes report.html, front.csv, front.json and the pictures; each file appears whole, the page last.

    With a trained front, trained_front.csv and trained_front.json hold it.

    Pictures: front_pairs.png, front_3d.png, hypervolume.png, energy_breakdown.png, supernet.png and network_<role>.png
    for each chosen design; of retrained designs learning_curves.png, reliability.png and contributions.png. Those that
    there is nothing to show in are left out.

    Returns:
        The path of report.html.

    Raises:
        ValueError: Two chosen designs have the same role, or one is not a design of the study.
        OSError: A file cannot be written.
    """
    front, trials = inputs.study.front(), inputs.study.study.trials()
    pictures = report_pictures(inputs, front, trials)
    roles = {design.key: role for role, design in inputs.chosen}
    page = page_html(inputs, front, trials, pictures)
    for name, content in pictures.items():
        write_whole(folder / name, content)
    for name, designs in (("front", front), ("trained_front", inputs.trained_front)):
        if designs or name == "front":
            write_text_whole(folder / f"{name}.csv", front_csv(designs, roles, inputs.from_scratch))
            write_text_whole(folder / f"{name}.json", front_json(designs, roles, inputs.from_scratch))
    write_text_whole(folder / "report.html", page)
    return folder / "report.html"


def report_pictures(inputs: ReportInputs, front: Sequence[Design], trials: Trials) -> dict[str, bytes]:
    """The pictures as PNG files, by file name."""
    names = [picture_name(role) for role, _ in inputs.chosen]
    if len(set(names)) < len(names):
        raise ValueError(
            f"roles of chosen designs name their pictures and must differ, got {[role for role, _ in inputs.chosen]}"
        )
    figures = {}
    if front:
        points = _front_points(inputs, front, trials)
        figures["front_pairs.png"] = plots.front_pairs(points)
        figures["front_3d.png"] = plots.front_3d(points)
        hypervolumes = inputs.study.study.hypervolume_by_generation()
        if hypervolumes[-1] > 0:
            n_trials = np.bincount(trials.generation).cumsum()
            figures["hypervolume.png"] = plots.hypervolume_over_trials(hypervolumes, n_trials)
    if inputs.chosen:
        row_of = {key: row for row, key in enumerate(trials.keys)}
        if strangers := [design.key for _, design in inputs.chosen if design.key not in row_of]:
            raise ValueError(f"chosen designs must be trials of study {inputs.study.study.name!r}, got {strangers}")
        rows = [row_of[design.key] for _, design in inputs.chosen]
        labels = [f"{plots.letter(position)} · {role}" for position, (role, _) in enumerate(inputs.chosen)]
        energy_pj = trials.attributes["energy_by_component_pj"][rows]
        figures["energy_breakdown.png"] = plots.energy_breakdown(labels, energy_pj)
    figures["supernet.png"] = plots.supernet_history(
        [one.n_epochs for one in inputs.supernet.history], [one.valid_logloss for one in inputs.supernet.history]
    )
    figures |= retrained_figures(inputs.retrained)
    for name, (_, design) in zip(names, inputs.chosen, strict=True):
        figures[name] = network_figure(design.architecture, design.n_dense, len(design.cardinalities))
    return {name: png(figure) for name, figure in figures.items()}


def _front_points(inputs: ReportInputs, front: Sequence[Design], trials: Trials) -> plots.FrontPoints:
    feasible = trials.select(trials.is_feasible)
    chosen = [design for _, design in inputs.chosen]
    trained = [trained_means(design.key, inputs.from_scratch).get("valid_logloss", np.nan) for design in chosen]
    return plots.FrontPoints(
        evaluated=feasible.values,
        is_first=feasible.generation == 0,
        front=_objectives(front),
        chosen=_objectives(chosen),
        trained_logloss=np.array(trained, dtype=np.float64),
        trained_front=_objectives(
            [
                replace(design, logloss=trained_means(design.key, inputs.from_scratch)["valid_logloss"])
                for design in inputs.trained_front
            ]
        ),
    )


def _objectives(designs: Sequence[Design]) -> NDArray[np.float64]:
    rows = [[design.logloss, design.energy_pj, design.latency_ns] for design in designs]
    return np.array(rows, dtype=np.float64).reshape(len(rows), 3)
