"""What scores get wrong with every supernet that was measured, known before a network is trained from scratch.

Shared weights underrate products of fields and overrate attention, on both logs that were looked at. And a supernet's
networks have not learned yet what chips of few bits lose. All of it grows with the spread of scores.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moco.oracle.features import FEATURES

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class KnownBias:
    """What log loss is beyond a score, in standard deviations of the scores of networks of all kinds.

    Attributes:
        operators: By the feature that counts an operator, such as "n_attention": where a network has any.
        few_bits: By bits of activations: on a chip that has as many, for a network trained for it.
    """

    operators: Mapping[str, float]
    few_bits: Mapping[int, float]

    def taken_off(self, score: Floats, features: Floats, score_sd: float) -> Floats:
        """(n,) scores of n networks with what operators are worth beyond them.

        Args:
            score: (n,) of n networks.
            features: (n, F) of them, as `network_features` gives them.
            score_sd: Standard deviation of the scores of networks of all kinds.
        """
        bias = np.zeros(len(score))
        for name, worth in self.operators.items():
            bias += worth * (features[:, FEATURES.index(name)] > 0)
        return score + bias * score_sd

    def of_few_bits(self, activation_bits: ArrayLike, score_sd: float) -> Floats:
        """What chips of so many activation bits cost beyond scores, log loss; of the shape of the bits."""
        bits = np.asarray(activation_bits)
        lost = np.zeros(bits.shape)
        for few, share in self.few_bits.items():
            lost += share * (bits == few)
        return lost * score_sd

    @classmethod
    def from_dict(cls, entries: Mapping[str, Mapping[str, float]]) -> KnownBias:
        """What `dataclasses.asdict` and JSON made of one, whose keys are text there."""
        bias = cls(dict(entries["operators"]), {int(bits): share for bits, share in entries["few_bits"].items()})
        if unknown := set(bias.operators) - set(FEATURES):
            raise ValueError(f"a known bias is of features of networks, got {', '.join(sorted(unknown))}")
        return bias


KNOWN_BIAS = KnownBias(operators={"n_dot-product": -1.5, "n_attention": 0.5}, few_bits={4: 0.4, 6: 0.05})
"""Operators: of 106 networks of MovieLens-100k and 38 of a synthetic log; bits: of five networks of both
(BENCHMARKS.md)."""
