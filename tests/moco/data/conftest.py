"""Logs for the data tests: the public ones where a checkout has them beside it, else generated stand-ins."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from moco.data.frappe import SCHEMA

SHARED = Path(__file__).parents[4] / "shared" / "data"


def _pack(path: Path, lines: list[str]) -> None:
    path.write_bytes(gzip.compress("\n".join([*lines, ""]).encode()))


@pytest.fixture(scope="session")
def frappe(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, tuple[int, int, int]]:
    """A folder of Frappe, the name it must get, and the rows of its parts."""
    if (SHARED / "frappe").is_dir():
        # Row counts: BARS, Frappe_x1.
        return SHARED / "frappe", "Frappe_x1, train negatives re-sampled", (202_027, 57_722, 28_860)
    folder = tmp_path_factory.mktemp("frappe")
    rng = np.random.default_rng(0)
    sizes = (600, 100, 50)
    for name, n_rows in zip(("train_rebuilt", "valid", "test"), sizes, strict=True):
        rows = rng.integers(0, 9, (n_rows, 11))
        rows[:, 0] %= 2
        _pack(
            folder / f"{name}.csv.gz",
            [",".join(["label", *SCHEMA.categorical]), *(",".join(map(str, r)) for r in rows)],
        )
    return folder, "Frappe, not the Frappe_x1 split", sizes


@pytest.fixture(scope="session")
def movielens(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A folder of MovieLens-100k in its atomic form, and its number of ratings."""
    if (SHARED / "ml_100k").is_dir():
        return SHARED / "ml_100k", 100_000
    folder = tmp_path_factory.mktemp("movielens")
    rng = np.random.default_rng(0)
    ratings = [
        f"{rng.integers(1, 20)}\t{rng.integers(1, 30)}\t{rng.integers(1, 6)}\t{881250949 + 5000 * i}"
        for i in range(500)
    ]
    _pack(folder / "ml-100k.inter.gz", ["user_id:token\titem_id:token\trating:float\ttimestamp:float", *ratings])
    items = [f"{i}\tFilm {i}\t{1970 + i}\tAction Drama" for i in range(1, 30)]
    _pack(
        folder / "ml-100k.item.gz",
        ["item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq", *items],
    )
    users = [f"{u}\t{20 + u}\tF\tartist\t{10000 + 999 * u}" for u in range(1, 20)]
    _pack(
        folder / "ml-100k.user.gz",
        ["user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token", *users],
    )
    return folder, 500
