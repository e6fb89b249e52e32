"""Progress of long work: a bar on a terminal, a line now and then where output goes to a file."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Column

SECONDS_BETWEEN_LINES = 15.0

console = Console(stderr=True, highlight=False)
"""Where progress goes; results go to standard output."""


@dataclass
class Bar:
    """One piece of work of a known size.

    Attributes:
        title: What is being done.
        unit: What is counted, such as "rows" or "designs".
    """

    title: str
    unit: str
    _display: Progress | None
    _task: TaskID | None
    _start_s: float = field(default_factory=time.monotonic)
    _first: float | None = None
    _last_line_s: float = field(default_factory=time.monotonic)

    def update(self, n_done: float, n_total: float, note: str = "") -> None:
        """Shows that n_done of n_total units are done; `note` is a short text such as the current loss."""
        if self._first is None:  # a resumed run starts above zero, and its rate counts from there
            self._first, self._start_s = n_done, time.monotonic()
        elapsed_s = time.monotonic() - self._start_s
        rate = (n_done - self._first) / elapsed_s if elapsed_s > 0 else 0.0
        speed = f"{rate:,.0f} {self.unit}/s" if rate >= 10 else f"{rate:.1f} {self.unit}/s"
        if self._display is not None and self._task is not None:
            self._display.update(self._task, completed=n_done, total=n_total, speed=speed, note=note)
        elif time.monotonic() - self._last_line_s >= SECONDS_BETWEEN_LINES:
            self._last_line_s = time.monotonic()
            left = f", {(n_total - n_done) / rate:,.0f} s left" if rate > 0 else ""
            console.print(
                f"  {self.title}: {n_done:,.0f} of {n_total:,.0f} {self.unit}, {speed}{left} {note}".rstrip(),
                soft_wrap=True,
            )


@contextmanager
def progress_bar(title: str, unit: str) -> Iterator[Bar]:
    """A bar for the time of a `with` block."""
    if not console.is_terminal:
        yield Bar(title, unit, None, None)
        return
    columns = (
        TextColumn("  {task.description}"),
        BarColumn(bar_width=16),
        TaskProgressColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(compact=True),
        # What is left of a narrow terminal goes to the note.
        TextColumn("{task.fields[note]}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
    )
    with Progress(*columns, console=console, transient=True, expand=True) as display:
        yield Bar(title, unit, display, display.add_task(title, total=None, speed="", note=""))
