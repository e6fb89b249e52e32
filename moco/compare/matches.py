"""For each reference, the design of the co-design that is no less accurate and takes the least energy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from moco.compare.accuracy import Trained
from moco.compare.figures import COSTS, Contender, Figures, columns_of, figures, figures_by_calibration, gains, gains_of
from moco.compare.other_chips import SINGLE_GOALS, OtherChips
from moco.compare.searches import Found, network_front
from moco.costs.batch import design_costs
from moco.design import Design
from moco.search.codesign import CodesignStudy
from pimmodel import Calibration
from spaces import Genomes
from studies import Trials, is_non_dominated, knee

HAND_MADE, NAIVE, TWO_STEPS = "baselines on ISAAC", "naive mapping", "architecture first, chip second"
"""What co-design is compared with."""

BY_TEST, BY_SCORE = "test", "score"
"""What log losses are compared: on test rows and the chips of both, where both are retrained; else both scores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Balanced:
    """One design that is better in all that a chip costs: of those no less accurate than a reference the one whose
    least gain is largest, by the calibration of the search.

    Attributes:
        key: Of the design.
        logloss: Likewise.
        gains: How many times better it is, by calibration and figure.
    """

    key: str
    logloss: float
    gains: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A reference and the design that stands against it.

    Attributes:
        against: One of HAND_MADE, NAIVE, TWO_STEPS.
        reference: Its name or role.
        seed: Of the searches; None where both are trained.
        judged_by: BY_TEST or BY_SCORE.
        reference_logloss: By that.
        logloss: Of the design; of the most accurate one where none is as accurate as the reference.
        key: Of the design; None where none is as accurate.
        of_reference: Its figures by calibration.
        of_design: The design's, empty where there is none; so are the gains.
        gains: How many times better the design is, by calibration and figure.
        largest: The largest gain of all designs no less accurate than the reference, each figure by its own design, on
            other chips that lose nothing too.
        balanced: The one that is better in everything, on a chip sought for that; None where none is as accurate.
    """

    against: str
    reference: str
    seed: int | None
    judged_by: str
    reference_logloss: float
    logloss: float
    key: str | None
    of_reference: Mapping[str, Figures]
    of_design: Mapping[str, Figures]
    gains: Mapping[str, Mapping[str, float]]
    largest: Mapping[str, Mapping[str, float]]
    balanced: Balanced | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidates:
    """Designs of which one may stand against a reference.

    Attributes:
        keys: Of n >= 1 designs.
        logloss: (n,).
        columns: By calibration, the one of the search first, and by name in `Figures`: (n,) figures.
        on_other_chips: Their networks on chips that no search evaluated, the best by `SINGLE_GOALS`, which only say
            what gains there are: they lose nothing, so a network is as accurate as on its own chip.
        chips: Where others come from.
    """

    keys: Sequence[str]
    logloss: NDArray[np.float64]
    columns: Mapping[str, Mapping[str, NDArray[np.float64]]]
    on_other_chips: Candidates | None = None
    chips: OtherChips | None = None

    def gains_of(self, name: str, reference: Figures, logloss: float) -> dict[str, NDArray[np.float64]]:
        """By figure: the gains of all that is no less accurate, under the calibration of this name."""
        good = self.logloss <= logloss
        return gains_of({figure: values[good] for figure, values in self.columns[name].items()}, reference)

    def joined(self, others: Candidates | None) -> Candidates:
        """These, then others."""
        if others is None:
            return self
        columns = {
            name: {figure: np.concatenate([values, others.columns[name][figure]]) for figure, values in mine.items()}
            for name, mine in self.columns.items()
        }
        logloss = np.concatenate([self.logloss, others.logloss])
        return Candidates(keys=[*self.keys, *others.keys], logloss=logloss, columns=columns)

    def balanced(
        self, reference: Mapping[str, Figures], logloss: float, calibrations: Mapping[str, Calibration]
    ) -> Balanced:
        """The design of `Balanced`; arguments are the reference's figures by calibration, and its log loss."""
        searched = next(iter(calibrations))

        def negated_least(columns: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
            gains = gains_of(columns, reference[searched])
            least: NDArray[np.float64] = np.stack([gains[figure] for figure in COSTS]).min(axis=0)
            return -least

        every = self.joined(self.on_other_chips)
        if self.chips is not None:
            found = self.chips.best([negated_least], [calibrations[searched]], logloss)
            every = every.joined(_of_genomes(self.chips.codesign, *found, calibrations))
        good = np.flatnonzero(every.logloss <= logloss)
        row = int(good[negated_least(every.columns[searched])[good].argmin()])
        of_row = {name: {it: values[[row]] for it, values in one.items()} for name, one in every.columns.items()}
        gains = {name: gains_of(one, reference[name]) for name, one in of_row.items()}
        return Balanced(
            key=every.keys[row],
            logloss=float(every.logloss[row]),
            gains={name: {figure: float(values[0]) for figure, values in one.items()} for name, one in gains.items()},
        )

    @classmethod
    def of_trained(
        cls, designs: Sequence[Trained], calibrations: Mapping[str, Calibration], codesign: CodesignStudy
    ) -> Candidates:
        """Retrained designs of a search, by test log loss on the chip of each."""
        columns = {}
        for name, calibration in calibrations.items():
            found = [figures(one.contender, calibration) for one in designs]
            columns[name] = {it.name: np.array([getattr(one, it.name) for one in found]) for it in fields(Figures)}
        logloss = {one.key: one.mean("chip_logloss") for one in designs}
        chips = OtherChips.of(codesign, _with_logloss(codesign.study.trials(), logloss))
        others = chips.best(SINGLE_GOALS, list(calibrations.values()))
        return cls(
            keys=list(logloss),
            logloss=np.array(list(logloss.values())),
            columns=columns,
            on_other_chips=_of_genomes(codesign, *others, calibrations),
            chips=chips,
        )

    @classmethod
    def of_search(cls, joint: Found, calibrations: Mapping[str, Calibration], seed: int) -> Candidates:
        """Useful designs of the joint search with a seed, by score.

        Raises:
            ValueError: It found no design of use.
        """
        if len(joint.useful) == 0:
            raise ValueError(
                f"no design of the joint search with seed {seed} keeps its caps and predicts better than the mean "
                "label: search longer, or raise the caps"
            )
        trials = joint.trials.select(joint.useful)
        chips = OtherChips.of(joint.codesign, trials.select(is_non_dominated(trials.values)))
        others = chips.best(SINGLE_GOALS, list(calibrations.values()))
        return cls(
            keys=trials.keys,
            logloss=trials.values[:, 0],
            columns=_columns(joint.codesign, trials.genomes, calibrations),
            on_other_chips=_of_genomes(joint.codesign, *others, calibrations),
            chips=chips,
        )


def _with_logloss(trials: Trials, logloss: Mapping[str, float]) -> Trials:
    """The trials with these keys, log losses in place of scores."""
    found = trials.select(np.flatnonzero(np.isin(trials.keys, list(logloss))))
    given = np.array([logloss[key] for key in found.keys], dtype=np.float64)
    return replace(found, values=np.column_stack([given, found.values[:, 1:]]))


def _of_genomes(
    codesign: CodesignStudy, genomes: Genomes, logloss: NDArray[np.float64], calibrations: Mapping[str, Calibration]
) -> Candidates | None:
    """(B, P) genomes of (B,) log losses; None where there are none."""
    if len(genomes) == 0:
        return None
    columns = _columns(codesign, genomes, calibrations)
    return Candidates(keys=codesign.space.keys(genomes), logloss=logloss, columns=columns)


def _columns(
    codesign: CodesignStudy, genomes: Genomes, calibrations: Mapping[str, Calibration]
) -> dict[str, dict[str, NDArray[np.float64]]]:
    """By calibration and figure: (B,) figures of (B, P) genomes."""
    costs = {
        name: design_costs(codesign.data, codesign.space, genomes, calibration, codesign.cardinalities)
        for name, calibration in calibrations.items()
    }
    return {name: columns_of(one.estimate) for name, one in costs.items()}


def matched(
    against: str,
    reference: str,
    contender: Contender,
    reference_logloss: float,
    candidates: Candidates,
    calibrations: Mapping[str, Calibration],
    judged_by: str,
    seed: int | None = None,
) -> Match:
    """The candidate of least energy whose log loss is no worse than the reference's.

    Args:
        against, reference, seed, judged_by: As in `Match`.
        contender: The reference.
        reference_logloss: Its log loss.
        candidates: Designs of which it may be one.
        calibrations: Of the hardware model; the first one says which takes the least energy.
    """
    good = np.flatnonzero(candidates.logloss <= reference_logloss)
    of_reference = figures_by_calibration(contender, calibrations)
    row, of_design, largest, balanced = int(candidates.logloss.argmin()), {}, {}, None
    if len(good) > 0:
        row = int(good[candidates.columns[next(iter(calibrations))]["energy_pj"][good].argmin()])
        for name, columns in candidates.columns.items():
            of_design[name] = Figures(**{figure: float(values[row]) for figure, values in columns.items()})
        every = candidates.joined(candidates.on_other_chips)
        for name, one in of_reference.items():
            all_gains = every.gains_of(name, one, reference_logloss)
            largest[name] = {figure: float(values.max()) for figure, values in all_gains.items()}
        balanced = candidates.balanced(of_reference, reference_logloss, calibrations)
    return Match(
        against=against,
        reference=reference,
        seed=seed,
        judged_by=judged_by,
        reference_logloss=reference_logloss,
        logloss=float(candidates.logloss[row]),
        key=candidates.keys[row] if len(good) > 0 else None,
        of_reference=of_reference,
        of_design=of_design,
        gains={name: gains(one, of_reference[name]) for name, one in of_design.items()},
        largest=largest,
        balanced=balanced,
    )


def against_baselines(
    candidates: Candidates, baselines: Sequence[Trained], calibrations: Mapping[str, Calibration]
) -> list[Match]:
    """Retrained designs against each baseline at 8 bits on ISAAC's chip, by test log loss on the chip of each."""
    return [
        matched(
            HAND_MADE, one.name, one.contender, one.mean("chip_logloss"), candidates, calibrations, judged_by=BY_TEST
        )
        for one in baselines
    ]


def against_search(
    against: str,
    candidates: Candidates,
    references: Mapping[str, Design],
    calibrations: Mapping[str, Calibration],
    seed: int,
) -> list[Match]:
    """Designs of the joint search against references of another, by their scores."""
    return [
        matched(
            against,
            role,
            Contender.of_design(reference),
            reference.logloss,
            candidates,
            calibrations,
            judged_by=BY_SCORE,
            seed=seed,
        )
        for role, reference in references.items()
    ]


def naive_references(networks: Found) -> dict[str, Design]:
    """The most accurate network of a search on ISAAC's chip, and the knee of its log loss and multiply-accumulates."""
    front = network_front(networks)
    return _first_and_knee(networks, front, np.log(np.maximum(networks.trials.attributes["macs"][front], 1.0))[:, None])


def two_step_references(chips: Found) -> dict[str, Design]:
    """The most accurate design of a search in two steps, on its chip of least energy, and the knee of its front."""
    rows = chips.useful
    if len(rows) == 0:
        return {}
    front = rows[is_non_dominated(chips.trials.values[rows])]
    front = front[np.lexsort((chips.trials.values[front, 1], chips.trials.values[front, 0]))]
    return _first_and_knee(chips, front, np.log(chips.trials.values[front, 1:]))


def _first_and_knee(found: Found, front: NDArray[np.int64], costs: NDArray[np.float64]) -> dict[str, Design]:
    points = np.column_stack([found.trials.values[front, 0], costs])
    rows = {"most accurate": front[0], "knee": front[knee(points)]}
    if rows["knee"] == rows["most accurate"]:
        del rows["knee"]
    return dict(zip(rows, found.designs(np.array(list(rows.values()))), strict=True))
