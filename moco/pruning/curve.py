"""What pruning gave: every round of every seed, as a table for people and as JSON and CSV for programs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np

from moco.supernet.metrics import Score


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunedRound:
    """One network of a curve, trained to its valid minimum.

    Attributes:
        seed: Of its training.
        number: Of the round; 0 is the network as it was.
        kept: Units left of each prunable layer; empty in round 0.
        n_units: Units left in all.
        macs: Multiply-accumulates of one inference.
        n_parameters: Trainable numbers without embedding tables.
        energy_pj: Of one inference on the design's chip; likewise latency.
        area_mm2: Of the chip, mapped anew.
        n_crossbars: Allocated on it.
        valid: Score on the valid rows in plain numbers; `test` likewise.
        chip_valid: Score as the chip computes it, slice by slice on at most `EXACT_ROWS` valid rows
            (`moco.training.from_scratch`); `chip_test` likewise.
    """

    seed: int
    number: int
    kept: dict[str, tuple[int, ...]] = field(repr=False)
    n_units: int
    macs: int
    n_parameters: int
    energy_pj: float
    latency_ns: float
    area_mm2: float
    n_crossbars: float
    valid: Score
    test: Score
    chip_valid: Score
    chip_test: Score


@dataclass(frozen=True, slots=True, kw_only=True)
class PruningCurve:
    """A design that was pruned round by round, with one or several seeds.

    Attributes:
        design: Its key.
        criterion: How neurons were chosen.
        way: How each round was trained.
        share: Of what was left, removed in each round.
        rounds: By seed and number.
        remarks: Where energy falls less than work does, a sentence each.
    """

    design: str
    criterion: str
    way: str
    share: float
    rounds: tuple[PrunedRound, ...]
    remarks: tuple[str, ...] = ()

    @property
    def by_number(self) -> list[list[PrunedRound]]:
        """The seeds of every round."""
        numbers = sorted({one.number for one in self.rounds})
        return [[one for one in self.rounds if one.number == number] for number in numbers]

    def to_json(self) -> str:
        """Every round with its scores and costs."""
        return json.dumps(asdict(self), indent=1)


_MEANS = ("macs", "n_parameters", "n_units", "energy_pj", "latency_ns", "area_mm2", "n_crossbars")
_SCORES = ("valid", "test", "chip_valid", "chip_test")


def curve_csv(curve: PruningCurve) -> str:
    """One row a round: means over seeds, of scores standard deviations too (nan for one seed)."""
    text = io.StringIO()
    rows = [_means(ones) for ones in curve.by_number]
    writer = csv.DictWriter(text, rows[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def curve_table(curve: PruningCurve) -> str:
    """One line a round: means over seeds, scores on test rows with their standard deviations."""
    lines = [
        f"{'round':<6}{'MACs':>10}{'left':>7}{'parameters':>12}{'energy pJ':>12}{'left':>7}{'latency ns':>12}"
        f"{'area mm2':>10}{'left':>7}  {'test log loss on chip':<23}{'test AUC on chip':<19}in plain numbers"
    ]
    first = None
    for ones in curve.by_number:
        mean = _means(ones)
        first = first or mean
        left = {name: f"{mean[name] / first[name]:>7.0%}" for name in ("macs", "energy_pj", "area_mm2")}
        lines.append(
            f"{mean['round']:<6}{mean['macs']:>10,.0f}{left['macs']}{mean['n_parameters']:>12,.0f}"
            f"{mean['energy_pj']:>12,.0f}{left['energy_pj']}{mean['latency_ns']:>12,.0f}"
            f"{mean['area_mm2']:>10.3f}{left['area_mm2']}  {_spread(mean, 'chip_test_logloss'):<23}"
            f"{_spread(mean, 'chip_test_auc'):<19}{mean['test_logloss']:.4f}, {mean['test_auc']:.4f}"
        )
    return "\n".join([*lines, *(f"- {remark}" for remark in curve.remarks)])


def score_arrays(ones: Sequence[PrunedRound], part: str, figure: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """(seeds,) a figure of a score, such as "auc" of "chip_test"."""
    return np.array([getattr(getattr(one, part), figure) for one in ones], dtype=np.float64)


def _means(ones: Sequence[PrunedRound]) -> dict[str, float]:
    return {
        "round": ones[0].number,
        "seeds": len(ones),
        **{name: float(np.mean([getattr(one, name) for one in ones])) for name in _MEANS},
        **dict(_score_columns(ones)),
    }


def _score_columns(ones: Sequence[PrunedRound]) -> Iterator[tuple[str, float]]:
    for part in _SCORES:
        for figure in ("logloss", "auc"):
            values = score_arrays(ones, part, figure)
            yield f"{part}_{figure}", float(values.mean())
            yield f"{part}_{figure}_sd", float(values.std(ddof=1)) if len(values) > 1 else float("nan")


def _spread(mean: dict[str, float], name: str) -> str:
    deviation = mean[f"{name}_sd"]
    return f"{mean[name]:.4f} ± {'-' if np.isnan(deviation) else f'{deviation:.4f}'}"
