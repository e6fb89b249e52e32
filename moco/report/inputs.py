"""What a report is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from moco.design import Design

if TYPE_CHECKING:  # a report is drawn without torch
    from moco.chosen.retrained import Retrained
    from moco.chosen.trained import FromScratch
    from moco.oracle.validation import Validation
    from moco.search.codesign import CodesignStudy
    from moco.supernet import TrainedSupernet
    from moco.supernet.metrics import Score


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportInputs:
    """What a report is made of; the same inputs give the same files.

    Attributes:
        title: Of the page.
        study: The study, as far as it was searched.
        supernet: What scored the designs.
        chosen: Designs to look at closely, each with why it was chosen; the reasons differ.
        from_scratch: Results of training some of them from scratch, one for each seed.
        trained_front: Trained designs that no other beats in log loss from scratch, energy and latency, where some were
            trained for what they promise.
        validation: How the supernet ranks, where that was measured.
        retrained: Designs trained to the end, one entry for each seed.
        comparison: Section that `moco.report.comparison` makes of a comparison; empty without one.
        exact: Scores of chosen designs with every crossbar's product computed slice by slice, by key.
        other_chips: By key and goal, the networks of chosen designs on the best chips for them.
        settings: Further settings for people to read, such as the engine of the search and its seed.
        seconds_by_stage: Wall time of each stage.
    """

    title: str
    study: CodesignStudy
    supernet: TrainedSupernet
    chosen: Sequence[tuple[str, Design]] = ()
    from_scratch: Sequence[FromScratch] = ()
    trained_front: Sequence[Design] = ()
    validation: Validation | None = None
    retrained: Sequence[Retrained] = ()
    comparison: str = ""
    exact: Mapping[str, Score] = field(default_factory=dict)
    other_chips: Mapping[str, Mapping[str, Design]] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    seconds_by_stage: Mapping[str, float] = field(default_factory=dict)
