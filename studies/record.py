"""What a study asked, as it is stored beside its trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from spaces.space import Space
from studies.objective import Constraint, Objective, check_names, check_printable


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyRecord:
    """What makes a study the same study: a resumed one must agree in all of it."""

    name: str
    space_json: str
    space_digest: str
    objectives: tuple[Objective, ...]
    constraints: tuple[Constraint, ...]
    engine: str
    seed: int
    population_size: int
    digests: dict[str, str]

    @classmethod
    def of(
        cls,
        name: str,
        space: Space,
        objectives: Sequence[Objective],
        constraints: Sequence[Constraint],
        *,
        engine: str,
        seed: int,
        population_size: int,
        digests: Mapping[str, str] | None,
    ) -> StudyRecord:
        """The record of what is asked.

        Raises:
            ValueError: A study of that name cannot ask this.
        """
        if not name:
            raise ValueError("a study needs a name, got ''")
        check_printable("study", name)
        if not objectives:
            raise ValueError(f"study {name!r} needs at least one objective, got none")
        check_names("objective", [objective.name for objective in objectives])
        check_names("constraint", [constraint.name for constraint in constraints])
        if population_size < 1:
            raise ValueError(f"population_size must be at least 1, got {population_size}")
        if not 0 <= seed < 2**63:
            raise ValueError(f"seed must be between 0 and 2**63 - 1, got {seed}")
        return cls(
            name=name,
            space_json=space.to_json(),
            space_digest=space.digest,
            objectives=tuple(objectives),
            constraints=tuple(constraints),
            engine=engine,
            seed=int(seed),
            population_size=int(population_size),
            digests=dict(digests or {}),
        )

    def require_same(self, given: StudyRecord) -> None:
        """Refuses to mix trials of different questions: ValueError names the first difference."""
        compared = ("objectives", "constraints", "engine", "seed", "population_size")
        differences = [("space", self.space_digest, given.space_digest)]
        for name in sorted({*self.digests, *given.digests}):  # before objectives, whose references follow from them
            differences.append((name, self.digests.get(name, "none"), given.digests.get(name, "none")))
        differences += [(name, getattr(self, name), getattr(given, name)) for name in compared]
        for what, stored, new in differences:
            if stored != new:
                raise ValueError(
                    f"study {given.name!r} was made with {what} {_shown(stored)}, this is {_shown(new)}: "
                    "give the study a new name"
                )


def _shown(value: object) -> str:
    """A value for people: quantities field by field."""
    if not isinstance(value, tuple):
        return str(value)
    fields = (", ".join(f"{field}={entry}" for field, entry in asdict(quantity).items()) for quantity in value)
    return "; ".join(fields) or "none"
