"""What a comparison says, table by table."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from moco.compare.accuracy import SCORES, Trained
from moco.compare.comparison import Comparison
from moco.compare.matches import BY_SCORE, BY_TEST, HAND_MADE, NAIVE, TWO_STEPS, Match
from moco.compare.noise import verdict
from moco.compare.published import PUBLISHED
from moco.compare.volumes import TOGETHER
from moco.compare.ways import JOINT
from moco.report.tables import Table
from moco.settings import TAUGHT

FIGURE_WORDS = {
    "macs": "MACs",
    "energy_pj": "energy",
    "latency_ns": "latency",
    "throughput_per_s": "throughput",
    "area_mm2": "area",
    "inferences_per_s_w": "power efficiency",
}

SCORE_WORDS = {"auc": "AUC", "logloss": "log loss", "chip_auc": "AUC on chip", "chip_logloss": "log loss on chip"}

_ABOUT = {
    HAND_MADE: "Baselines at 8 bits on ISAAC's chip, each beside the retrained design that takes the least energy of "
    "those whose test log loss on its own chip is no worse.",
    NAIVE: "Networks of a search that knows no chip (log loss and multiply-accumulates, as many evaluations as the "
    "co-design), mapped at uniform 8 bits on ISAAC's chip.",
    TWO_STEPS: "Networks searched first, at 8 bits on ISAAC's chip, with half of the evaluations; then weight bits and "
    "chip for the networks of that front, with the other half.",
}

_JUDGED = {
    BY_TEST: "By test: both were trained, and log loss is the mean over seeds on test rows, as each chip computes it.",
    BY_SCORE: "By score: neither was retrained, and log loss is the score of the run's supernet and correction for "
    "both, so that a match is only as good as the order of these scores.",
}


def tables_of(comparison: Comparison) -> list[Table]:
    """Every table that there is something to show in."""
    tables = [
        Table(
            title="What is compared",
            about=(),
            headings=["what", "is"],
            rows=[*map(list, comparison.about.items()), *(["left out", text] for text in comparison.missing)],
        )
    ]
    if comparison.differences:
        tables += [_accuracy(comparison), _differences(comparison)]
    for against in (HAND_MADE, NAIVE, TWO_STEPS):
        matches = [match for match in comparison.matches if match.against == against]
        if matches:
            tables.append(_ratios(against, matches))
    if comparison.volumes:
        tables.append(_volumes(comparison))
    if comparison.fronts:
        tables.append(_fronts(comparison))
    if any(match.gains for match in comparison.matches):
        tables.append(_published(comparison))
    return tables


def _accuracy(comparison: Comparison) -> Table:
    headings = ["network", "seeds", *(f"test {word}" for word in SCORE_WORDS.values())]
    rows = []
    for one in (*comparison.designs, *comparison.baselines):
        costs = one.figures
        rows.append(
            [
                f"{one.name} {one.role}".strip(),
                str(len(one.seeds)),
                *(_mean(one, score) for score in SCORES),
                f"{costs.macs:,.0f}",
                f"{one.n_parameters:,}",
                f"{costs.energy_pj:,.0f}",
                f"{costs.latency_ns:,.0f}",
                f"{costs.area_mm2:.4g}",
            ]
        )
    about = [
        "Retrained designs of the run, then baselines on the same data. Means ± standard deviations over seeds, on "
        "test rows; designs on their own chips, baselines at 8 bits on ISAAC's. Parameters without tables.",
    ]
    if any(TAUGHT in (one.name + one.role) for one in (*comparison.designs, *comparison.baselines)):
        about.append(
            "Taught: a teacher of hand-made networks softened the labels from which this network learned; the others "
            "learned from labels alone. 'moco baselines --teacher 4' teaches baselines as well."
        )
    return Table(
        title="Accuracy",
        about=about,
        headings=[*headings, "MACs", "parameters", "energy pJ", "latency ns", "area mm2"],
        rows=rows,
    )


def _differences(comparison: Comparison) -> Table:
    rows = []
    for design in comparison.designs:
        mine = {one.score: one for one in comparison.differences if one.design == design.name}
        words = (verdict(one.difference, one.baseline, more_is_better="auc" in score) for score, one in mine.items())
        rows.append([design.name, *words])
    return Table(
        title="Against the best baseline",
        about=[
            "In brackets the difference of means ± its standard error (Welch). Level: within the 95 % interval of "
            "noise over seeds. The best baseline is the one that is best on these test rows, which favours it.",
        ],
        headings=["design", *SCORE_WORDS.values()],
        rows=rows,
    )


def _ratios(against: str, matches: Sequence[Match]) -> Table:
    headings = ["reference", "judged by", "log loss", "co-design", "its log loss", "calibration"]
    rows = [row for match in matches for row in _ratio_rows(match)]
    notes = [
        "Ratios say how many times better the co-design is: 2 is half the energy, latency, area or work, or twice the "
        "rate. Throughput is that of the full pipeline; power efficiency is inferences per second and watt at it.",
        "In brackets, where it is larger: the largest gain of any design no less accurate, each figure by its own; "
        "networks whose chip loses nothing count on the best chips for them too, which lose nothing either.",
        "Balanced: one design alone, on a chip sought for that, whose least gain over all that a chip costs is largest "
        "by the calibration of the search; in brackets, where it is less, the least gain under any.",
    ]
    judged = {match.judged_by for match in matches}
    notes += [sentence for kind, sentence in _JUDGED.items() if kind in judged]
    return Table(
        title=f"Co-design against {against}",
        about=[_ABOUT[against]],
        headings=[*headings, *FIGURE_WORDS.values()],
        rows=rows,
        notes=notes,
    )


def _ratio_rows(match: Match) -> Iterator[list[str]]:
    name = match.reference if match.seed is None else f"{match.reference}, seed {match.seed}"
    reference = [name, match.judged_by, f"{match.reference_logloss:.4f}"]
    if match.key is None:
        yield [*reference, "none as accurate", f"{match.logloss:.4f}", "", *[""] * len(FIGURE_WORDS)]
        return
    for place, (calibration, gains) in enumerate(match.gains.items()):
        words = [*reference, match.key[:8], f"{match.logloss:.4f}"] if place == 0 else [""] * 5
        largest = match.largest[calibration]
        yield [*words, calibration, *(_both(gains[figure], largest[figure]) for figure in FIGURE_WORDS)]
    if (one := match.balanced) is not None:
        searched, *_ = one.gains
        yield ["", "", "", one.key[:8], f"{one.logloss:.4f}", f"{searched}, balanced", *_balanced(one.gains)]


def _balanced(gains: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    """By figure: the gain by the calibration of the search, in brackets the least of all where that is less."""
    for figure in FIGURE_WORDS:
        gain, least = next(iter(gains.values()))[figure], min(one[figure] for one in gains.values())
        yield _both(gain, least)


def _volumes(comparison: Comparison) -> Table:
    rows = []
    names = (JOINT, TWO_STEPS, NAIVE, TOGETHER)
    for of_seed in comparison.volumes:
        for name in names:
            evaluations = f"{of_seed.n_evaluations[name]:,}" if name in of_seed.n_evaluations else ""
            shares = (of_seed.shares[name], of_seed.log_shares[name])
            rows.append([name, str(of_seed.seed), evaluations, *(f"{share:.4f}" for share in shares)])
    if len(comparison.volumes) > 1:
        for name in names:
            columns = ([getattr(one, kind)[name] for one in comparison.volumes] for kind in ("shares", "log_shares"))
            means = (f"{np.mean(column):.4f} ± {np.std(column, ddof=1):.4f}" for column in columns)
            rows.append([name, "all", "", *means])
    return Table(
        title="Hypervolume",
        about=[
            "Share of one box that the designs of each search dominate in log loss, energy and latency: from the run's "
            "reference point to the least that any of them reached. Infeasible designs count nothing.",
        ],
        headings=["search", "seed", "evaluations", "share", "share, energy and latency in logarithms"],
        rows=rows,
    )


def _fronts(comparison: Comparison) -> Table:
    rows = [
        [
            f"{one.search} against {one.against}",
            str(one.seed),
            FIGURE_WORDS[one.cost],
            str(one.n_designs),
            str(one.n_matched),
            times(one.gain),
        ]
        for one in comparison.fronts
    ]
    return Table(
        title="Front against front",
        about=[
            "For every design of the other's front, the design whose score is no worse and that costs least: how many "
            "times less, as a geometric mean over the designs that are matched so. Below 1, the other costs less.",
        ],
        headings=["search", "seed", "cost", "designs of that front", "matched", "gain"],
        rows=rows,
    )


def _published(comparison: Comparison) -> Table:
    ours = [match for match in _headline(comparison) if match is not None]
    rows = [
        [
            f"{paper.name}: {word}",
            times(gain),
            FIGURE_WORDS[paper.figures[word]],
            *(_span(match, paper.figures[word]) for match in ours),
        ]
        for paper in PUBLISHED
        for word, gain in paper.gains.items()
    ]
    return Table(
        title="Beside published figures",
        about=[
            "Ours by the calibration of the search, in brackets the least and the most of all calibrations; of the "
            "first seed where there are several. Then the largest gain of any design no less accurate, by the "
            "calibration of the search. Speed and performance are taken as throughput; latency stands above.",
        ],
        headings=["paper", "says", "nearest figure of ours", *(_headline_name(match) for match in ours)],
        rows=rows,
        notes=[f"{paper.name} ({paper.source}): {paper.differs}" for paper in PUBLISHED],
    )


def _headline(comparison: Comparison) -> Iterator[Match | None]:
    """The most accurate reference of each kind that a design matches."""
    for against in (HAND_MADE, NAIVE, TWO_STEPS):
        seeds = [match.seed or 0 for match in comparison.matches if match.against == against]
        yield min(
            (
                match
                for match in comparison.matches
                if match.against == against and match.gains and (match.seed or 0) == min(seeds)
            ),
            key=lambda match: match.reference_logloss,
            default=None,
        )


def _headline_name(match: Match) -> str:
    return f"against {match.reference}" if match.against == HAND_MADE else f"{match.against}, {match.reference}"


def _span(match: Match, figure: str) -> str:
    values = [gains[figure] for gains in match.gains.values()]
    largest = next(iter(match.largest.values()))[figure]
    return f"{times(values[0])} ({times(min(values))} to {times(max(values))}); {times(largest)}"


def _both(gain: float, other: float) -> str:
    """A gain, and another in brackets where that is another figure."""
    return times(gain) if times(gain) == times(other) else f"{times(gain)} ({times(other)})"


def times(gain: float) -> str:
    """A ratio for people."""
    if not math.isfinite(gain):
        return "all" if math.isinf(gain) else "-"
    return f"{gain:,.0f}x" if gain >= 100 else f"{gain:.3g}x"


def _mean(one: Trained, score: str) -> str:
    mean, deviation = one.mean(score), one.deviation(score)
    return f"{mean:.4f}" if math.isnan(deviation) else f"{mean:.4f} ± {deviation:.4f}"
