"""A raw public log to its stored form: read and parsed block by block, split, counted, encoded, written.

Memory does not grow with the rows but for about 5 bytes each while they are split, and for the vocabularies: while two
fields at a time are counted about 60 bytes a distinct value, and then 16 to 32 bytes a value that is kept. Criteo
Kaggle, 45.8 million rows of 33.8 million values, stays under 2.5 GB by this account. Beside the stored log the disk
holds the parsed blocks for a while: for Criteo 162 bytes a row beside about 120.

A job that is killed goes on from the last block that it parsed when it is called again; encoding begins anew. The
blocks lie in a folder beside the stored log, `.NAME.blocks`, and go when the log is whole or the job fails by an error.
Two jobs for one folder wait for each other (`.NAME.lock`), and the second finds the log made.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from moco.data.folders import whole_folder
from moco.data.logs.blockfile import BlockList, BlockStore
from moco.data.logs.formats import LOG_FORMATS
from moco.data.logs.options import LogOptions, Progress
from moco.data.logs.profiles import read_profiles
from moco.data.logs.reading import Reading
from moco.data.logs.source import file_state
from moco.data.logs.stored import FORMAT, StoredLog, is_stored
from moco.data.logs.writing import Writing
from moco.data.rows import DataError

_BLOCK_BYTES = 4 << 20  # larger ones leave the processor cache and cost a fifth more time


def prepare_log(
    name: str,
    path: str | Path,
    folder: str | Path,
    options: LogOptions | None = None,
    *,
    progress: Callable[[Progress], None] | None = None,
    n_threads: int | None = None,
    block_bytes: int = _BLOCK_BYTES,
) -> StoredLog:
    """Make the stored form of a raw log, or open it where the same one has been made before.

    Both encodings use the authors' split: scikit-learn's StratifiedKFold(10, shuffle=True, random_state=2018) on the
    label, folds 1 to 8 train, 9 valid, 10 test. For Criteo and KDD Cup 2012 the authors' own code shifts every row by
    one against its fold and loses one row; here each row has its own fold.

    Known defects of "authors": values collide, because the modulo of random hashes leaves about 37 % of the table rows
    empty and lets 63 % of the values share one; the field `id` of Avazu names the row; `Impression` of KDD Cup 2012 is
    known only after the fact and leaks the label. "vocabulary" has no collisions and leaves `id` and `Impression` out.

    Args:
        name: "criteo", "avazu" or "kdd2012".
        path: The raw file, plain, gzip or zstd, or the folder that holds it. For KDD Cup 2012 training.txt with
            userid_profile.txt beside it.
        folder: Where the stored log goes; an earlier one there with other options is replaced.
        options: How to encode.
        progress: Called after each block.
        n_threads: Threads at work; all cores when not given.
        block_bytes: Text read at a time; about 20 times as much memory is used per thread.

    Raises:
        DataError: a raw file cannot be read, has another format or too many bad lines, or the folder cannot be written.
    """
    if name not in LOG_FORMATS:
        raise DataError(f"unknown log {name!r}; logs are {', '.join(map(repr, LOG_FORMATS))}")
    log_format, folder, options = LOG_FORMATS[name], Path(folder), options or LogOptions()
    files = log_format.find(Path(path))
    plan = {
        "format": FORMAT,
        "log": name,
        "sources": [list(file_state(file)) for file in files],
        "options": asdict(options),
        "block_bytes": block_bytes,
    }
    n_threads = n_threads or _n_cores()
    with _locked(folder), ThreadPoolExecutor(n_threads) as pool:
        if (log := _made_before(folder, plan)) is not None:
            return log
        for stale in folder.parent.glob(f".{folder.name}.*.partial"):  # of a killed job: no other one runs now
            shutil.rmtree(stale, ignore_errors=True)
        work = folder.parent / f".{folder.name}.blocks"
        try:
            _open_work(work, plan)
            store = BlockStore(work, log_format, options.encoding)
            profiles = read_profiles(files[1], block_bytes) if log_format.joined else None
            reading = Reading(file=files[0], log_format=log_format, options=options, store=store, profiles=profiles)
            records, bad = reading.parsed(pool, n_threads, block_bytes, progress)
            parsed = BlockList.of(store, records)
            writing = Writing(
                log_format=log_format,
                options=options,
                parsed=parsed,
                pool=pool,
                n_threads=n_threads,
                progress=progress,
            )
            with whole_folder(folder) as partial:
                writing.write(partial, plan, bad)
        except OSError as error:
            shutil.rmtree(work, ignore_errors=True)
            raise DataError(f"cannot write {work} ({error}); free disk space or permissions there") from error
        except Exception:
            shutil.rmtree(work, ignore_errors=True)
            raise
        shutil.rmtree(work, ignore_errors=True)
    return StoredLog.open(folder)


def _n_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    import fcntl  # POSIX: imported where a log is made, not where moco is

    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        file = (folder.parent / f".{folder.name}.lock").open("w")
    except OSError as error:
        raise DataError(f"cannot write beside {folder} ({error}); choose another folder") from error
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)  # let go when the process ends, however it ends
        yield


def _made_before(folder: Path, plan: dict[str, Any]) -> StoredLog | None:
    if is_stored(folder):
        try:
            log = StoredLog.open(folder)
        except DataError:
            return None
        return log if log.manifest["plan"] == plan else None
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(f"{folder} holds other files than a stored log; choose a new folder")
    return None


def _open_work(work: Path, plan: dict[str, Any]) -> None:
    """The folder of parsed blocks: the one that a killed job with the same plan left, or a new one."""
    try:
        if json.loads((work / "plan.json").read_text(encoding="utf-8")) == plan:
            return
    except (OSError, ValueError):
        pass
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    (work / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
