"""Which trained designs to train again: of many that were trained once, the best one was lucky as well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from moco.chosen.trained import FromScratch, front_of, valid_logloss
from moco.design import Design

N_SEEDS = 3
"""Trainings after which a design is taken as it is."""


def least_sure(
    designs: Sequence[Design], least_pj: Mapping[str, float], results: Sequence[FromScratch], n: int
) -> tuple[list[Design], int]:
    """At most n designs of the trained front to train again, and how many trainings each of them has.

    The front is that of mean valid log loss and energy. The most accurate design comes first: where another training
    shows that it was lucky, the next one takes its place and is trained again in turn, until the front holds none that
    was trained fewer than N_SEEDS times. All designs that are named have as many trainings as the first of them.

    Args:
        designs: Those that may be trained.
        least_pj: Energy that their networks need, by key.
        results: Trainings so far.
        n: How many.
    """
    mean, n_seeds = valid_logloss(results), Counter(result.key for result in results)
    front = front_of(designs, mean, lambda design: (least_pj[design.key],))
    unsure = [design for design in front if n_seeds[design.key] < N_SEEDS]
    if not unsure:
        return [], 0
    first = n_seeds[unsure[0].key]
    return [design for design in unsure if n_seeds[design.key] == first][:n], first
