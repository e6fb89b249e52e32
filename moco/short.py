"""Short trainings: what lies between a supernet's score and training from scratch, in cost and in trust."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from moco.settings import FinalSettings

N_ROWS = 200_000
"""Most train rows of a short training."""

ROWS_SHARE = 0.25
"""Of all train rows, what a short training takes at most."""

LEAST_STEPS = 64
"""Of a short training: where it has few rows it takes them in smaller batches."""

SHARE = 0.25
"""Of the time of training to the end, for short trainings, as rows tell it."""

MOST_TRIED = 8
"""For each that is trained to the end: small batches take longer than their rows tell."""


@dataclass(frozen=True, slots=True)
class ShortTraining:
    """How designs are trained shortly from a supernet's weights, so that the best by that are trained to the end.

    Attributes:
        settings: A whole schedule in one pass.
        n_rows: Train rows, drawn by the seed.
        n_tried: Designs that are trained shortly for each that is trained to the end.
    """

    settings: FinalSettings
    n_rows: int
    n_tried: int


def short_training(final: FinalSettings, n_rows: int) -> ShortTraining | None:
    """The short training for a log of n train rows; None where a whole one takes a single pass.

    One pass over 200,000 rows, or over a quarter of them, from the supernet's weights, at twice the rate of the final
    training for batches of its size and at the root of that for smaller ones: from scratch so few rows teach too little
    (BENCHMARKS.md, rank fidelity).
    """
    if final.epochs == 1:
        return None
    n_short = max(1, min(N_ROWS, int(ROWS_SHARE * n_rows)))
    n_tried = min(MOST_TRIED, round(SHARE * final.epochs * n_rows / n_short))
    batch_size = min(final.batch_size, 2 ** int(math.log2(max(1.0, n_short / LEAST_STEPS))))
    learning_rate = 2 * final.learning_rate * math.sqrt(batch_size / final.batch_size)
    return ShortTraining(replace(final, epochs=1, batch_size=batch_size, learning_rate=learning_rate), n_short, n_tried)
