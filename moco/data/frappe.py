"""Frappe: which app was used in which context (Baltrunas et al., arXiv 1505.03014), in its published split.

The split is that of neural factorization machines (He and Chua, SIGIR 2017), which the BARS benchmark (Zhu et al.,
SIGIR 2022) calls Frappe_x1: 10 categorical fields, two sampled negatives for each positive. The csv files are those of
BARS; the libfm files are those of neural factorization machines, the libsvm files those of AFN (Cheng et al., AAAI
2020) and ARM-Net (Cai et al., SIGMOD 2021). Written as csv, their lines are the bytes of BARS.
"""

import gzip
import hashlib
import io
from pathlib import Path

import polars as pl

from moco.data.dataset import CtrDataset
from moco.data.libsvm import is_libsvm, read_libsvm
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
_NAMES = {
    "train": ("train.csv", "train_rebuilt.csv", "frappe.train.libfm", "train.libsvm"),
    "valid": ("valid.csv", "frappe.validation.libfm", "valid.libsvm"),
    "test": ("test.csv", "frappe.test.libfm", "test.libsvm"),
}
_MD5 = {  # of the csv files once unzipped, as BARS publishes them
    "train": "ba7306e6c4fc19dd2cd84f2f0596d158",
    "valid": "88d51bf2173505436d3a8f78f2a59da8",
    "test": "3470f6d32713dc5f7715f198ca7c612a",
}


def frappe_files(folder: Path) -> tuple[Path, ...]:
    """The train, valid and test file of a folder, each csv, libfm or libsvm.

    Raises:
        DataError: one of them is not there.
    """
    files: list[Path] = []
    for part in PARTS:
        names = [f"{name}{packed}" for name in _NAMES[part] for packed in ("", ".gz")]
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
        DataError: a file cannot be read or misses a column or an entry.
    """
    frames = {}
    is_published = {}
    for part, path in zip(PARTS, files, strict=True):
        raw = _libsvm_log(path) if is_libsvm(path) else read_csv(path)
        frames[part] = typed_log(raw, SCHEMA, path.name)
        is_published[part] = (_csv_md5(raw) if is_libsvm(path) else _md5(path)) == _MD5[part]
    if all(is_published.values()):
        name = "Frappe_x1"
    elif is_published["valid"] and is_published["test"]:
        name = "Frappe_x1, train negatives re-sampled"
    else:
        name = "Frappe, not the Frappe_x1 split"
    return CtrDataset.from_frames(name, SCHEMA, frames, min_count=min_count)


def _libsvm_log(path: Path) -> pl.DataFrame:
    schema, (log,) = read_libsvm((path,), SCHEMA.categorical)
    if schema.numeric:
        raise DataError(
            f"{path}: all fields of Frappe are categorical, but {schema.numeric[0]!r} has other values than 1"
        )
    return log


def _csv_md5(log: pl.DataFrame) -> str:
    """MD5 of the csv file that BARS writes of the same lines."""
    text = io.BytesIO()
    log.with_columns(pl.col(SCHEMA.label).cast(pl.Int8)).write_csv(text, line_terminator="\r\n")
    return hashlib.md5(text.getbuffer(), usedforsecurity=False).hexdigest()


def _md5(path: Path) -> str:
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
