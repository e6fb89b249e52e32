"""What costs next to nothing to compute of a design, for engines that look before they propose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from studies.objective import Constraint, Evaluation, Objective, minimised, violations

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CheapQuantities:
    """The cheap part of an evaluation, in an engine's terms.

    Attributes:
        compute: (B, P) genomes to what `evaluate` would return, with NaN for what takes an evaluation; attributes are
            further numbers that predictions may use.
        objectives: Of the study.
        constraints: Of the study.
    """

    compute: Callable[[NDArray[np.int64]], Evaluation | ArrayLike]
    objectives: tuple[Objective, ...]
    constraints: tuple[Constraint, ...]

    def __call__(self, genomes: NDArray[np.int64]) -> tuple[Values, Values]:
        """(B, M + K) minimised objectives and normalised violations, NaN where unknown, and (B, F) attributes.

        Raises:
            ValueError: `compute` returned something of the wrong shape, or an attribute that is not finite.
        """
        computed = self.compute(genomes)
        if not isinstance(computed, Evaluation):
            computed = Evaluation(computed)
        n = len(genomes)
        values = _shaped("objectives", computed.values, n, len(self.objectives))
        unknown = np.full((n, len(self.constraints)), np.nan)
        given = unknown if computed.constraints is None else computed.constraints
        limited = _shaped("constraints", given, n, len(self.constraints))
        attributes: list[Values] = [np.zeros((n, 0))]
        for name, attribute in computed.attributes.items():
            array = np.asarray(attribute, dtype=np.float64)
            if array.ndim not in (1, 2) or len(array) != n or not np.isfinite(array).all():
                raise ValueError(
                    f"attribute {name!r} of cheap must be finite and have one row for each of the {n} designs, "
                    f"got shape {array.shape}"
                )
            attributes.append(array.reshape(n, -1))
        quantities = [minimised(values, self.objectives), violations(limited, self.constraints)]
        return np.concatenate(quantities, axis=1), np.concatenate(attributes, axis=1)


def _shaped(role: str, values: ArrayLike, n: int, n_columns: int) -> Values:
    array = np.asarray(values, dtype=np.float64)
    if array.shape != (n, n_columns):
        raise ValueError(
            f"{role} of cheap must have shape ({n}, {n_columns}), NaN where a design must be evaluated, "
            f"got {array.shape}"
        )
    return array


def cheap_quantities(
    compute: Callable[[NDArray[np.int64]], Evaluation | ArrayLike] | None,
    objectives: Sequence[Objective],
    constraints: Sequence[Constraint],
) -> CheapQuantities | None:
    """The cheap quantities of a study; None where it names none."""
    return None if compute is None else CheapQuantities(compute, tuple(objectives), tuple(constraints))
