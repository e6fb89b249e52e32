"""Short trainings: what lies between a supernet's score and training from scratch, in cost and in trust."""

from __future__ import annotations

from dataclasses import dataclass, replace

from moco.settings import FinalSettings

SHORTER = 16
"""A short training's part of the epochs of a whole one."""

N_ROWS = 200_000
"""Train rows of a short training where even one epoch is a larger part of a whole one."""

SHARE = 0.25
"""Of the time of training to the end, for short trainings."""


@dataclass(frozen=True, slots=True)
class ShortTraining:
    """How designs are trained shortly, so that the best by that are trained to the end.

    Attributes:
        settings: The whole schedule of a training, in little time.
        n_rows: Train rows, drawn by the seed; None for all.
        is_from_supernet: Whether first weights are the supernet's, on its own data.
        n_tried: Designs that are trained shortly for each that is trained to the end.
    """

    settings: FinalSettings
    n_rows: int | None
    is_from_supernet: bool
    n_tried: int


def short_training(final: FinalSettings, n_rows: int) -> ShortTraining | None:
    """The short training for a log of n train rows; None where it would not leave a choice for its time.

    A sixteenth of the epochs, from scratch. Where there are not as many, one pass over 200,000 rows from the supernet's
    weights, at twice the rate: from scratch so few rows teach too little (BENCHMARKS.md, rank fidelity on synthetic).
    """
    if final.epochs >= SHORTER:
        epochs = final.epochs // SHORTER
        return ShortTraining(replace(final, epochs=epochs), None, False, round(SHARE * final.epochs / epochs))
    n_short = min(N_ROWS, n_rows)
    n_tried = round(SHARE * final.epochs * n_rows / n_short)
    if final.epochs == 1 or n_tried < 2:
        return None
    return ShortTraining(replace(final, epochs=1, learning_rate=2 * final.learning_rate), n_short, True, n_tried)
