"""Frappe: which app was used in which context (Baltrunas et al., arXiv 1505.03014), in its published split.

The split is that of neural factorization machines (He and Chua, SIGIR 2017), which the BARS benchmark (Zhu et al.,
SIGIR 2022) calls Frappe_x1: 10 categorical fields, two sampled negatives for each positive.
"""

import gzip
import hashlib
from pathlib import Path

from moco.data.dataset import CtrDataset
from moco.data.rows import DataError
from moco.data.schema import TableSchema, typed_log
from moco.data.split import PARTS
from moco.data.tables import read_csv

SCHEMA = TableSchema(
    label="label",
    categorical=(
        "user",
        "item",
        "daytime",
        "weekday",
        "isweekend",
        "homework",
        "cost",
        "weather",
        "country",
        "city",
    ),
)
_STEMS = {"train": ("train", "train_rebuilt"), "valid": ("valid",), "test": ("test",)}
_MD5 = {  # of the csv files once unzipped, as BARS publishes them
    "train": "ba7306e6c4fc19dd2cd84f2f0596d158",
    "valid": "88d51bf2173505436d3a8f78f2a59da8",
    "test": "3470f6d32713dc5f7715f198ca7c612a",
}


def frappe_files(folder: Path) -> tuple[Path, ...]:
    """The train, valid and test file of a folder.

    Raises:
        DataError: one of them is not there.
    """
    files: list[Path] = []
    for part in PARTS:
        names = [f"{stem}.csv{packed}" for stem in _STEMS[part] for packed in ("", ".gz")]
        found = [folder / name for name in names if (folder / name).is_file()]
        if not found:
            raise DataError(f"no {part} file of Frappe in {folder}; {' or '.join(names)} is expected there")
        files.append(found[0])
    return tuple(files)


def read_frappe(files: tuple[Path, ...], *, min_count: int = 1) -> CtrDataset:
    """Frappe in its given split; its name says how much of it is the published Frappe_x1.

    Args:
        files: From `frappe_files`.
        min_count: A value seen in fewer train rows shares id 0.

    Raises:
        DataError: a file cannot be read or misses a column.
    """
    frames = {}
    is_published = {}
    for part, path in zip(PARTS, files, strict=True):
        frames[part] = typed_log(read_csv(path), SCHEMA, path.name)
        is_published[part] = _md5(path) == _MD5[part]
    if all(is_published.values()):
        name = "Frappe_x1"
    elif is_published["valid"] and is_published["test"]:
        name = "Frappe_x1, train negatives re-sampled"
    else:
        name = "Frappe, not the Frappe_x1 split"
    return CtrDataset.from_frames(name, SCHEMA, frames, min_count=min_count)


def _md5(path: Path) -> str:
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
