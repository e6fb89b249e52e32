"""Baselines side by side: what they reach and what they cost, as text and as csv."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from moco.baselines.catalogue import BASELINES
from moco.baselines.costs import BaselineCosts, baseline_costs
from moco.baselines.recipes import baseline_recipe
from moco.baselines.results import BaselineResult
from moco.data import ClickLog
from moco.supernet.metrics import Score
from pimmodel import Calibration


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineRow:
    """One baseline over its seeds.

    Attributes:
        name: Of the baseline, and whether it was taught.
        n_seeds: Seeds of training.
        test_auc: Mean over the seeds; likewise the other scores.
        test_auc_sd: Standard deviation over the seeds; NaN of one seed.
        chip_test_auc: On ISAAC's chip with 8-bit weights.
        published: Score that is published for this data.
        rows_per_s: Of training.
        costs: On ISAAC's chip.
    """

    name: str
    n_seeds: int
    test_auc: float
    test_auc_sd: float
    test_logloss: float
    test_logloss_sd: float
    chip_test_auc: float
    chip_test_logloss: float
    published: Score | None
    rows_per_s: float
    costs: BaselineCosts


def baseline_rows(
    results: Sequence[BaselineResult], data: ClickLog, calibration: str | Calibration = "isaac32"
) -> list[BaselineRow]:
    """One row for each baseline that has results, in their order."""
    rows = []
    is_frappe = data.name.lower().startswith("frappe_x1")
    for label in dict.fromkeys(result.label for result in results):
        mine = [result for result in results if result.label == label]
        name = mine[0].name
        auc, logloss = ([getattr(one, figure) for one in mine] for figure in ("test_auc", "test_logloss"))
        network = baseline_recipe(name, data).network
        rows.append(
            BaselineRow(
                name=label,
                n_seeds=len(mine),
                test_auc=float(np.mean(auc)),
                test_auc_sd=_deviation(auc),
                test_logloss=float(np.mean(logloss)),
                test_logloss_sd=_deviation(logloss),
                chip_test_auc=float(np.mean([one.chip_test_auc for one in mine])),
                chip_test_logloss=float(np.mean([one.chip_test_logloss for one in mine])),
                published=BASELINES[name].frappe if is_frappe and not mine[0].lessons else None,
                rows_per_s=float(np.mean([one.rows_per_s for one in mine])),
                costs=baseline_costs(network, len(data.dense), data.cardinalities, calibration=calibration),
            )
        )
    return rows


def baselines_text(rows: Sequence[BaselineRow]) -> str:
    """A table of fixed width; a deviation over seeds follows its mean after "+-"."""
    lines = [
        f"{'baseline':<22}{'test AUC':>15}{'log loss':>15}{'on chip':>9}{'published':>11}{'parameters':>12}{'MACs':>12}"
        f"{'energy pJ':>13}{'latency ns':>12}{'area mm2':>10}"
    ]
    for row in rows:
        costs, published = row.costs, "" if row.published is None else f"{row.published.auc:.4f}"
        auc, logloss = _mean(row.test_auc, row.test_auc_sd), _mean(row.test_logloss, row.test_logloss_sd)
        n_parameters = costs.n_parameters + costs.n_table_parameters
        lines.append(
            f"{row.name:<22}{auc:>15}{logloss:>15}{row.chip_test_auc:>9.4f}{published:>11}{n_parameters:>12,}"
            f"{costs.n_macs:>12,}{costs.energy_pj:>13,.0f}{costs.latency_ns:>12,.0f}{costs.area_mm2:>10.4f}"
        )
    return "\n".join(lines)


def baselines_csv(rows: Sequence[BaselineRow]) -> str:
    """One line a baseline, figures in full precision; empty where there is none."""
    text = io.StringIO()
    entries = [_flat(row) for row in rows]
    writer = csv.DictWriter(text, list(entries[0]) if entries else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(entries)
    return text.getvalue()


def _flat(row: BaselineRow) -> dict[str, object]:
    entry = asdict(row)
    costs, published = entry.pop("costs"), entry.pop("published") or {}
    entry |= {f"published_{figure}": published.get(figure, "") for figure in ("auc", "logloss")} | costs
    return {name: "" if isinstance(value, float) and math.isnan(value) else value for name, value in entry.items()}


def _deviation(values: Sequence[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else math.nan


def _mean(mean: float, deviation: float) -> str:
    return f"{mean:.4f}" if math.isnan(deviation) else f"{mean:.4f}+-{deviation:.4f}"
