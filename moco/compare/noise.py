"""Two means over seeds: their difference, its standard error, and whether it is more than noise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student_t

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The mean of one sample less that of another.

    Attributes:
        mean: Of the first less of the second.
        standard_error: Of that; NaN where a sample has one value, which says nothing of its noise.
        degrees_of_freedom: Of Student's distribution; NaN likewise, and where neither sample varies.
        is_beyond_noise: Whether the 95 % interval of the difference leaves 0 out; None where the noise is not known.
    """

    mean: float
    standard_error: float
    degrees_of_freedom: float
    is_beyond_noise: bool | None


def difference(first: Sequence[float], second: Sequence[float]) -> Difference:
    """The difference of two samples' means by Welch's test: neither spread nor size need agree.

    Raises:
        ValueError: A sample is empty.

    Source: Welch, Biometrika 34 (1947), doi:10.1093/biomet/34.1-2.28.
    """
    samples = [np.asarray(sample, dtype=np.float64) for sample in (first, second)]
    if min(map(len, samples)) == 0:
        raise ValueError(f"a mean needs at least one value, got samples of {len(first)} and {len(second)}")
    mean = float(samples[0].mean() - samples[1].mean())
    if min(map(len, samples)) == 1:
        return Difference(mean=mean, standard_error=math.nan, degrees_of_freedom=math.nan, is_beyond_noise=None)
    parts = [float(sample.var(ddof=1)) / len(sample) for sample in samples]
    squared = sum(parts)
    if squared == 0:
        return Difference(mean=mean, standard_error=0.0, degrees_of_freedom=math.nan, is_beyond_noise=mean != 0)
    freedom = squared**2 / sum(part**2 / (len(sample) - 1) for part, sample in zip(parts, samples, strict=True))
    limit = float(student_t.ppf((1 + CONFIDENCE) / 2, freedom)) * math.sqrt(squared)
    return Difference(
        mean=mean,
        standard_error=math.sqrt(squared),
        degrees_of_freedom=freedom,
        is_beyond_noise=abs(mean) > limit,
    )


def verdict(found: Difference, rival: str, *, more_is_better: bool) -> str:
    """The difference from a rival in words: better or worse, level within noise, or noise not known."""
    size = f"{found.mean:+.4f}"
    if found.is_beyond_noise is None:
        return f"{size} from {rival}, noise not known from one seed"
    size = f"{size} ± {found.standard_error:.4f}"
    if not found.is_beyond_noise:
        return f"level with {rival} ({size})"
    return f"{'better' if (found.mean > 0) == more_is_better else 'worse'} than {rival} ({size})"
