"""How the label goes along a log: its mean over ten equal stretches."""

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

N_STRETCHES = 10


def label_means(labels: NDArray[Any]) -> tuple[float, ...]:
    """The mean label of ten stretches of equal length; none for fewer rows.

    Args:
        labels: (N,) 0 or 1, in the order of the log.
    """
    if len(labels) < N_STRETCHES:
        return ()
    bounds = np.arange(N_STRETCHES + 1) * len(labels) // N_STRETCHES
    return tuple(float(np.count_nonzero(labels[start:end]) / (end - start)) for start, end in pairwise(bounds))


def label_means_text(means: tuple[float, ...], order: str) -> str:
    """The means in one printable line; `order` says what the stretches follow."""
    return f"label mean of each tenth, {order}: " + " ".join(f"{mean:.4f}" for mean in means)
