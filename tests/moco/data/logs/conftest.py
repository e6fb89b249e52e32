"""Raw logs: the public samples where a checkout has them beside it, else lines made here in the same formats."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from moco.data.logs.formats import CRITEO, KDD2012, LogFormat
from moco.data.logs.generate import generate_log

SHARED = Path(__file__).parents[5] / "shared" / "data"


def made_lines(log_format: LogFormat, n_rows: int, seed: int = 0) -> list[bytes]:
    """Lines of a format with small vocabularies and no missing value; no header."""
    rng = np.random.default_rng(seed)
    cells = []
    for column in log_format.columns:
        numbers = rng.integers(0, 2 if column.kind == "label" else 40, n_rows)
        cells.append([f"{n:08x}" if column.kind == "hex" else str(n) for n in numbers])
    return [log_format.separator.join(row).encode() for row in zip(*cells, strict=True)]


@pytest.fixture(scope="session")
def criteo_sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A raw file of Criteo, packed, and its number of rows."""
    if (SHARED / "criteo_8k").is_dir():
        return SHARED / "criteo_8k" / "train.tsv.gz", 7200
    folder = tmp_path_factory.mktemp("criteo")
    generate_log("criteo", folder / "train.txt", 2000)
    (folder / "train.txt.gz").write_bytes(gzip.compress((folder / "train.txt").read_bytes()))
    return folder / "train.txt.gz", 2000


@pytest.fixture(scope="session")
def avazu_sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A raw file of Avazu, packed, and its number of rows."""
    if (SHARED / "avazu_9k").is_dir():
        return SHARED / "avazu_9k" / "all.csv.gz", 8999
    folder = tmp_path_factory.mktemp("avazu")
    generate_log("avazu", folder / "train.csv", 2000)
    (folder / "train.gz").write_bytes(gzip.compress((folder / "train.csv").read_bytes()))
    return folder / "train.gz", 2000


@pytest.fixture
def kdd_folder(tmp_path: Path) -> Path:
    """A folder with both files of KDD Cup 2012; users 0 to 19 have a profile, 20 to 39 have none."""
    folder = tmp_path / "kdd"
    folder.mkdir()
    (folder / "training.txt").write_bytes(b"\n".join(made_lines(KDD2012, 400)) + b"\n")
    profiles = [f"{user}\t{user % 3}\t{user % 6 + 1}" for user in range(20)]
    (folder / "userid_profile.txt").write_text("\n".join(profiles))
    return folder


@pytest.fixture
def criteo_file(tmp_path: Path) -> Callable[..., Path]:
    """Writes a raw file of Criteo with the given lines, by default 200 good ones."""

    def write(lines: list[bytes] | None = None, end: bytes = b"\n") -> Path:
        path = tmp_path / "train.txt"
        path.write_bytes(end.join(made_lines(CRITEO, 200) if lines is None else lines) + end)
        return path

    return write


@pytest.fixture
def criteo_lines() -> list[bytes]:
    """200 good lines of Criteo."""
    return made_lines(CRITEO, 200)
