"""Results of trained baselines, and the file that keeps them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from moco.data import ClickLog
from moco.files import write_text_whole
from moco.settings import TAUGHT

FORMAT = "moco baselines 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineResult:
    """One baseline, trained with one seed.

    Attributes:
        name: Of the baseline.
        seed: Of first weights, rows and dropout.
        recipe: Digest of the recipe that it was trained by.
        n_epochs: Epochs to the best valid round by the recipe's monitor, whose weights are scored.
        valid_logloss: In plain numbers; test rows are read once, at the end.
        chip_valid_logloss: On ISAAC's chip with 8-bit weights, by the moment model; likewise the others.
        seconds: Of training, with the scores after each round; of the last part where it was interrupted.
        rows_per_s: Train rows over those seconds.
        lessons: Digest of the log whose softened labels it learned from (`moco.runs.teacher`); empty where it
            learned from the labels of the data.
    """

    name: str
    seed: int
    recipe: str
    n_epochs: float
    valid_logloss: float
    valid_auc: float
    test_logloss: float
    test_auc: float
    chip_valid_logloss: float
    chip_valid_auc: float
    chip_test_logloss: float
    chip_test_auc: float
    seconds: float
    rows_per_s: float
    lessons: str = ""

    @property
    def label(self) -> str:
        """Its name, and whether it was taught."""
        return self.name + TAUGHT * bool(self.lessons)


def read_results(file: Path, data: ClickLog) -> list[BaselineResult]:
    """Results that `write_results` kept; none when there is no file.

    Raises:
        ValueError: The file is damaged, is something else, or is of other data.
    """
    if not file.exists():
        return []
    try:
        held = json.loads(file.read_text(encoding="utf-8"))
        if held["format"] != FORMAT:
            raise ValueError(f"its format is {held['format']!r}, this version reads {FORMAT!r}")
        digest, name = held["data"], held["data_name"]
        results = [BaselineResult(**entry) for entry in held["results"]]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{file} does not hold results of baselines ({error}); remove it, or give another file"
        ) from error
    if digest != data.digest:
        raise ValueError(
            f"{file} holds results on data {digest} ({name}), this data is {data.digest} ({data.name}): "
            "give another file, or the data they are from"
        )
    return results


def write_results(file: Path, data: ClickLog, results: Iterable[BaselineResult]) -> None:
    """Writes all results on one data set, whole or not at all."""
    held = {
        "format": FORMAT,
        "data": data.digest,
        "data_name": data.name,
        "results": [asdict(result) for result in results],
    }
    write_text_whole(file, json.dumps(held, indent=1))


def file_name(name: str) -> str:
    """A baseline's name with a dash in place of what file names do not bear."""
    return re.sub("[^A-Za-z0-9]+", "-", name)
