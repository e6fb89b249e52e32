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
"""Of the steps of one training to the end, for the short trainings before it: a step takes about as long in small
batches as in large ones."""


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
    """The short training for a log of n train rows; None where a whole one is a single pass, or no longer than a few.

    One pass over 200,000 rows, or over a quarter of them, from the supernet's weights, at twice the rate of the final
    training for batches of its size and at the root of that for smaller ones: from scratch so few rows teach too little
    (BENCHMARKS.md, rank fidelity).
    """
    n_short = max(1, min(N_ROWS, int(ROWS_SHARE * n_rows)))
    batch_size = min(final.batch_size, 2 ** int(math.log2(max(1.0, n_short / LEAST_STEPS))))
    n_steps = final.epochs * math.ceil(n_rows / final.batch_size)
    n_tried = round(SHARE * n_steps / math.ceil(n_short / batch_size))
    if final.epochs == 1 or n_tried < 2:
        return None
    learning_rate = 2 * final.learning_rate * math.sqrt(batch_size / final.batch_size)
    return ShortTraining(replace(final, epochs=1, batch_size=batch_size, learning_rate=learning_rate), n_short, n_tried)
