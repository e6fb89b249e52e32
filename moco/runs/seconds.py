"""How long each stage of a run has taken, kept in its folder, so that it adds up over interruptions."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from moco.files import write_text_whole


def seconds_of(folder: Path) -> dict[str, float]:
    """Seconds that each stage of a run has taken so far."""
    file = folder / "seconds.json"
    return json.loads(file.read_text()) if file.exists() else {}


def add_seconds(folder: Path, stage: str, spent_s: float) -> None:
    if spent_s > 1.0:  # a stage that was found done is not counted again
        seconds = seconds_of(folder)
        seconds[stage] = round(seconds.get(stage, 0.0) + spent_s, 1)
        write_text_whole(folder / "seconds.json", json.dumps(seconds, indent=1))


@contextmanager
def timed(folder: Path, stage: str) -> Iterator[None]:
    """Adds the time of a `with` block to that of its stage; a block that fails ends with its own error."""
    start_s = time.monotonic()
    try:
        yield
    except BaseException:
        with suppress(OSError):
            add_seconds(folder, stage, time.monotonic() - start_s)
        raise
    add_seconds(folder, stage, time.monotonic() - start_s)
