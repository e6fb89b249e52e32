"""The front as a table: text for a terminal, CSV and JSON for programs.

Log loss and AUC of a design are the supernet's scores, log loss corrected where the study has a correction. They carry
that name in every form, and what training from scratch gave stands beside them where a design was trained.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np

from moco.design import FIGURES, Design

if TYPE_CHECKING:
    from moco.chosen.trained import FromScratch

SCORE_NOTE = (
    "logloss and auc are supernet scores on valid rows: estimates of what the network reaches when it is trained from "
    "scratch; where networks that were trained from scratch could correct it, logloss is the corrected one"
)
SUPERNET_SCORES = ("logloss", "auc")
TRAINED_COSTS = ("energy_pj", "latency_ns", "area_mm2", "macs")
"""Of a trained design, in text: what fits a line."""
TRAINED_FIGURES = ("valid_logloss", "valid_auc", "test_logloss", "test_auc")
_DECIMALS = {"logloss": 5, "auc": 4}
_GAP = "  "
KEY_DIGITS = 8
"""Of a key, for people."""


def figure_text(name: str, value: float) -> str:
    """A figure of a design with the digits that mean something: five of a log loss, four of an AUC or a small cost."""
    quantity = name.rpartition("_")[2]
    if quantity in _DECIMALS:
        return f"{value:.{_DECIMALS[quantity]}f}"
    return f"{value:,.0f}" if value >= 1000 or float(value).is_integer() else f"{value:.4g}"


def front_table(designs: Sequence[Design], n_rows: int | None = None) -> str:
    """The designs as text of fixed width, one line a design under two lines of headings.

    Args:
        designs: In the order to show.
        n_rows: Show at most so many, spread evenly over the designs, the first and the last among them.

    Raises:
        ValueError: n_rows is less than 1.
    """
    if n_rows is not None and n_rows < 1:
        raise ValueError(f"n_rows must be at least 1, or None for all designs, got {n_rows}")
    shown = list(designs)
    if n_rows is not None and n_rows < len(shown):
        shown = [shown[row] for row in np.linspace(0, len(shown) - 1, n_rows).round().astype(int)]
    cells = [[figure_text(name, getattr(design, name)) for name in FIGURES] for design in shown]
    columns = zip(FIGURES, *cells, strict=True)
    widths = [max(map(len, column)) for column in columns]
    n_scores = len(SUPERNET_SCORES)
    score_width = max(sum(widths[:n_scores]) + len(_GAP) * (n_scores - 1), len("supernet score"))
    widths[0] += score_width - sum(widths[:n_scores]) - len(_GAP) * (n_scores - 1)
    lines = ["supernet score".center(score_width).rstrip()]
    lines += [_GAP.join(map(str.rjust, row, widths)) for row in (FIGURES, *cells)]
    if len(shown) < len(designs):
        lines.append(f"{len(shown)} of {len(designs)} designs, evenly spread")
    return "\n".join(lines)


def trained_table(designs: Sequence[Design], from_scratch: Sequence[FromScratch]) -> str:
    """Trained designs as text of fixed width: what they reached from scratch, means over seeds, and TRAINED_COSTS.

    Args:
        designs: In the order to show, each of them trained.
        from_scratch: What they reached.
    """
    headings = ["key", "seeds", *TRAINED_FIGURES, *TRAINED_COSTS]
    rows = [headings, *trained_rows(designs, from_scratch, TRAINED_COSTS)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(["trained from scratch", *(_GAP.join(map(str.rjust, row, widths)) for row in rows)])


def trained_rows(
    designs: Sequence[Design], from_scratch: Sequence[FromScratch], costs: Sequence[str]
) -> list[list[str]]:
    """Of each design the beginning of its key, its number of seeds, TRAINED_FIGURES and some of FIGURES."""
    rows = []
    for design in designs:
        trained, n_seeds = trained_means(design.key, from_scratch), sum(run.key == design.key for run in from_scratch)
        figures = [figure_text(name, trained[name]) for name in TRAINED_FIGURES]
        figures += [figure_text(name, getattr(design, name)) for name in costs]
        rows.append([design.key[:KEY_DIGITS], str(n_seeds), *figures])
    return rows


def front_csv(designs: Sequence[Design], roles: Mapping[str, str], from_scratch: Sequence[FromScratch]) -> str:
    """The designs as CSV, one row a design; figures in full precision, units in the names of the columns.

    Args:
        designs: In the order to write.
        roles: Why a design was chosen, by key.
        from_scratch: Trained designs; figures are means over seeds, empty where a design was not trained.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [f"supernet_{name}" if name in SUPERNET_SCORES else name for name in FIGURES]
    writer.writerow(["key", "role", *names, *(f"from_scratch_{name}" for name in TRAINED_FIGURES)])
    for design in designs:
        trained = trained_means(design.key, from_scratch)
        writer.writerow(
            [
                design.key,
                roles.get(design.key, ""),
                *(getattr(design, name) for name in FIGURES),
                *(trained.get(name, "") for name in TRAINED_FIGURES),
            ]
        )
    return text.getvalue()


def front_json(designs: Sequence[Design], roles: Mapping[str, str], from_scratch: Sequence[FromScratch]) -> str:
    """The designs as JSON, networks and chips included; each entry of "designs" is a design file of its own.

    Takes what `front_csv` takes.
    """
    entries = []
    for design in designs:
        runs = [run for run in from_scratch if run.key == design.key]
        trained = [{"seed": run.seed, **{name: getattr(run, name) for name in TRAINED_FIGURES}} for run in runs]
        entries.append({**json.loads(design.to_json()), "role": roles.get(design.key, ""), "from_scratch": trained})
    return json.dumps({"note": SCORE_NOTE, "designs": entries}, indent=1)


def trained_means(key: str, from_scratch: Sequence[FromScratch]) -> dict[str, float]:
    """TRAINED_FIGURES of a design, each the mean over the seeds it was trained with; empty where it was not trained."""
    runs = [run for run in from_scratch if run.key == key]
    return {name: fmean(getattr(run, name) for run in runs) for name in TRAINED_FIGURES} if runs else {}
