"""Scores and costs as the search of a run gave them, for other searches: one supernet, one correction, one model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from moco.data import ClickLog
from moco.oracle.correction import Correction
from moco.oracle.oracle import Oracle
from moco.search.codesign import CodesignStudy
from moco.search.look_ahead import LookAhead
from pimmodel import Calibration
from spaces import CodesignSpace, Genomes, Space
from studies import Constraint, Objective, Study
from studies.failures import Evaluate
from studies.study import Improve


@dataclass(frozen=True, eq=False, kw_only=True)
class Judge:
    """What a search asks for the worth of a design.

    Attributes:
        data: The click log.
        oracle: Scores, kept over searches: what one has scored costs the next nothing.
        calibration: Of the hardware model.
        cardinalities: (F,) rows of the embedding tables on the chip.
        correction: Of the log loss; None leaves scores as they are.
        objectives: Of the joint search, with the box of its hypervolume.
        constraints: Its caps.
    """

    data: ClickLog
    oracle: Oracle
    calibration: Calibration
    cardinalities: tuple[int, ...]
    correction: Correction | None
    objectives: tuple[Objective, ...]
    constraints: tuple[Constraint, ...]

    @classmethod
    def of(cls, study: CodesignStudy, oracle: Oracle) -> Judge:
        """The judge of a study of co-designs; the oracle must be of its supernet."""
        return cls(
            data=study.data,
            oracle=oracle,
            calibration=study.calibration,
            cardinalities=study.cardinalities,
            correction=study.correction,
            objectives=study.study.objectives,
            constraints=study.study.constraints,
        )

    @property
    def digests(self) -> dict[str, str]:
        """What values depend on, by name, as a study stores it."""
        return {
            "data": self.data.digest,
            "supernet": self.oracle.digest,
            "correction": "none" if self.correction is None else self.correction.digest,
            "hardware model": self.calibration.digest,
            "table rows": hashlib.sha256(json.dumps(self.cardinalities).encode()).hexdigest(),
        }

    def codesign(self, space: CodesignSpace, study: Study) -> CodesignStudy:
        """Evaluation of a space's genomes; the study's constraints say what is capped."""
        return CodesignStudy(
            self.data, space, self.oracle, study, self.calibration, self.cardinalities, self.correction
        )

    def look_ahead(self, space: CodesignSpace) -> LookAhead:
        """What may be computed of a space's genomes before they are evaluated."""
        return LookAhead(self.data, space, self.calibration, self.cardinalities, self.constraints)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How searches are made that are to be compared.

    Attributes:
        storage: Their SQLite file.
        seed: Of all of them.
        n_evaluations: Distinct designs that each way evaluates.
        engine: As in the run's own search; population_size likewise.
    """

    storage: Path
    seed: int
    n_evaluations: int
    engine: str
    population_size: int

    def study(
        self,
        what: str,
        space: Space,
        objectives: Sequence[Objective],
        constraints: Sequence[Constraint],
        known: Genomes,
        judge: Judge,
        improve: Improve | None = None,
        cheap: Evaluate | None = None,
    ) -> Study:
        """The study of one search, made or opened; its name says what it is, its seed and the evaluations of its way.

        Raises:
            ValueError: The file holds it with other data, supernet, model or settings.
        """
        self.storage.parent.mkdir(parents=True, exist_ok=True)
        return Study(
            f"{what}, seed {self.seed}, {self.n_evaluations} evaluations",
            space,
            objectives,
            constraints,
            storage=self.storage,
            seed=self.seed,
            engine=self.engine,
            population_size=self.population_size,
            known=known,
            digests=judge.digests,
            improve=improve,
            cheap=cheap,
        )
