"""A comparison as files: compare.json and compare.csv for programs, compare.md for people."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from moco.compare.accuracy import SCORES, Trained
from moco.compare.comparison import Comparison
from moco.compare.page import tables_of
from moco.compare.ways import FOLDER
from moco.files import write_text_whole
from moco.report.tables import markdown_of

CSV_COLUMNS = ("part", "name", "against", "seed", "calibration", "figure", "value")


def write_comparison(comparison: Comparison, folder: Path, title: str) -> Path:
    """Writes compare.json, compare.csv and compare.md into the folder of a run's comparison.

    Returns:
        The path of compare.md.

    Raises:
        OSError: A file cannot be written.
    """
    folder = folder / FOLDER
    write_text_whole(folder / "compare.json", comparison_json(comparison))
    write_text_whole(folder / "compare.csv", comparison_csv(comparison))
    write_text_whole(folder / "compare.md", markdown_of(title, tables_of(comparison)))
    return folder / "compare.md"


def comparison_json(comparison: Comparison) -> str:
    """Every figure, and the tables as people see them; what is infinite or not known is null."""
    entries = {
        "about": dict(comparison.about),
        "missing": list(comparison.missing),
        "calibrations": list(comparison.calibrations),
        "designs": [_trained(one) for one in comparison.designs],
        "baselines": [_trained(one) for one in comparison.baselines],
        "differences": [asdict(one) for one in comparison.differences],
        "matches": [asdict(one) for one in comparison.matches],
        "volumes": [asdict(one) for one in comparison.volumes],
        "fronts": [asdict(one) for one in comparison.fronts],
        "tables": [asdict(one) for one in tables_of(comparison)],
    }
    return json.dumps(_finite(entries), indent=1, allow_nan=False)


def comparison_csv(comparison: Comparison) -> str:
    """One figure a line, in full precision; empty where it is infinite or not known."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    writer.writerows(_csv_rows(comparison))
    return text.getvalue()


def _trained(one: Trained) -> dict[str, Any]:
    named = {name: getattr(one, name) for name in ("name", "role", "key", "seeds", "scores", "n_parameters")}
    return {**named, "hardware": json.loads(one.contender.chip.to_json()), "figures": asdict(one.figures)}


def _csv_rows(comparison: Comparison) -> Iterator[list[object]]:
    searched = comparison.calibrations[0]
    for name, text in comparison.about.items():
        yield ["about", name, "", "", "", "", text]
    for one in (*comparison.designs, *comparison.baselines):
        for score in SCORES:
            for seed, value in zip(one.seeds, one.scores[score], strict=True):
                yield ["accuracy", one.name, "", seed, "", f"test_{score}", value]
        for figure, value in asdict(one.figures).items():
            yield ["cost", one.name, "", "", searched, figure, _known(value)]
    for found in comparison.differences:
        about = ["difference", found.design, found.baseline, "", ""]
        yield [*about, f"test_{found.score}", found.difference.mean]
        yield [*about, f"test_{found.score}_standard_error", _known(found.difference.standard_error)]
    for match in comparison.matches:
        design, against = match.key or "", f"{match.against}: {match.reference}"
        about = [design, against, "" if match.seed is None else str(match.seed)]
        balanced = {} if match.balanced is None else match.balanced.gains
        for part, by_calibration in (
            ("ratio", match.gains),
            ("largest ratio", match.largest),
            ("balanced ratio", balanced),
        ):
            for calibration, gains in by_calibration.items():
                for figure, value in gains.items():
                    yield [part, *about, calibration, figure, _known(value)]
    for volumes in comparison.volumes:
        for kind, shares in (("share", volumes.shares), ("share_in_logarithms", volumes.log_shares)):
            for name, value in shares.items():
                yield ["hypervolume", name, "", volumes.seed, "", kind, value]

    for front in comparison.fronts:
        sides = ["front gain", front.search, front.against]
        yield [*sides, front.seed, searched, front.cost, _known(front.gain)]


def _known(value: float) -> float | str:
    return value if math.isfinite(value) else ""


def _finite(entry: Any) -> Any:
    if isinstance(entry, dict):
        return {name: _finite(value) for name, value in entry.items()}
    if isinstance(entry, list | tuple):
        return [_finite(value) for value in entry]
    return None if isinstance(entry, float) and not math.isfinite(entry) else entry
