"""What a study asked, as it is stored beside its trials."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from studies.objective import Constraint, Objective


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
