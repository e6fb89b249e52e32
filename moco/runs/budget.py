"""How a budget of time is spent: on the supernet, on correcting it, on the search, on training promising designs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from moco.data import ClickLog
from moco.settings import TrainSettings
from moco.supernet import train_supernet
from moco.training.pace import rows_per_s
from spaces import CodesignSpace

SUPERNET_SHARE, TRUTH_SHARE, SEARCH_SHARE = 0.35, 0.1, 0.15
"""Of the whole budget, at most; the rest, and what these stages leave, is for training from scratch."""

TEACHER_SHARE = 0.1
"""Of the whole budget, at most, for a teacher, whose time is taken from what it teaches."""

PROBE_ROWS = 20_000
"""Rows of training after which its speed is known well enough."""


@dataclass(frozen=True)
class Budget:
    """A number of hours, counted over all stages and interruptions.

    Attributes:
        hours: Of the whole run.
        spent_s: Seconds of each stage before.
        teacher_share: Of the whole, kept for a teacher; 0 where there is none.
    """

    hours: float
    spent_s: Mapping[str, float] = field(default_factory=dict)
    teacher_share: float = 0.0
    _started_s: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        """Refuses what leaves no time."""
        if not self.hours > 0:
            raise ValueError(f"hours must be above 0, got {self.hours}")

    @property
    def total_s(self) -> float:
        """The whole budget in seconds."""
        return 3600 * self.hours

    @property
    def left_s(self) -> float:
        """Seconds left of the whole budget."""
        return self.total_s - sum(self.spent_s.values()) - (time.monotonic() - self._started_s)

    @property
    def used_s(self) -> float:
        """Seconds used of it, at most all."""
        return self.total_s - max(self.left_s, 0.0)

    @property
    def truth_left_s(self) -> float:
        """Seconds left for teacher, supernet and networks that correct it together; below 0 once they are over."""
        return self.left_s - (1 - self.teacher_share - SUPERNET_SHARE - TRUTH_SHARE) * self.total_s

    def truth_countdown(self) -> Callable[[], float]:
        """Says how many seconds networks that correct the supernet have left, once it is trained: now begins their
        share, and what the supernet left of its own goes to trainings of designs that promise more."""
        end_s = time.monotonic() + TRUTH_SHARE * self.total_s
        return lambda: min(self.truth_left_s, end_s - time.monotonic())

    @property
    def is_search_over(self) -> bool:
        """Whether only the time for training promising designs is left."""
        return self.truth_left_s < -SEARCH_SHARE * self.total_s


def affordable(
    data: ClickLog, space: CodesignSpace, settings: TrainSettings, seconds: float, device: str = "cpu"
) -> TrainSettings:
    """The settings with as many epochs as fit the time, at least one and at most those given.

    Some steps of each kind are trained and thrown away to measure how long they take: of the embeddings, of full paths
    and of random ones. The probability of full paths falls evenly, so they are half of the steps over which it does.

    Raises:
        ValueError: As `train_supernet`.
    """

    def epoch_s(embedding_epochs: int, full_path_share: float) -> float:
        probe = replace(settings, epochs=1, embedding_epochs=embedding_epochs, full_path_share=full_path_share)
        return len(data.train) / max(_rows_per_s(data, space, probe, device), 1e-9)

    share_full = settings.full_path_share / 2
    per_epoch_s = (1 - share_full) * epoch_s(0, 0.0)
    if share_full > 0:
        per_epoch_s += share_full * epoch_s(0, 1.0)
    if settings.embedding_epochs > 0:
        seconds -= settings.embedding_epochs * epoch_s(1, 0.0)
    return replace(settings, epochs=max(1, min(settings.epochs, int(seconds / per_epoch_s))))


def _rows_per_s(data: ClickLog, space: CodesignSpace, settings: TrainSettings, device: str) -> float:
    """Rows a second at the beginning of a supernet's training."""
    return rows_per_s(
        lambda progress: train_supernet(data, space, settings=settings, device=device, progress=progress),
        min(len(data.train), PROBE_ROWS),
    )
