"""The public logs as data sets by name: prepared once into a folder of the cache, then opened or sampled there."""

import hashlib
import json
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from moco.data.logs.formats import LOG_FORMATS, EncodingName
from moco.data.logs.options import LogOptions, Progress
from moco.data.logs.prepare import prepare_log
from moco.data.logs.sample import LogSample, draw_sample
from moco.data.logs.source import file_state
from moco.data.logs.stored import StoredLog
from moco.progress import Bar, progress_bar


def read_log(
    name: str,
    files: tuple[Path, ...],
    cache: Path,
    *,
    encoding: EncodingName = "vocabulary",
    n_rows: int | None = None,
    max_table_rows: int | None = None,
    min_count: int = 2,
    hash_above: int | None = None,
    hash_rows: int = 1_000_000,
    max_bad_share: float = 0.001,
    seed: int = 0,
) -> LogSample | StoredLog:
    """A public log as it is stored, read from its memory map at any size; or a sub-sample of it in memory.

    Args:
        name: "criteo", "avazu" or "kdd2012".
        files: The raw files.
        cache: Folder in which the stored log goes, one for each state of the files and each encoding.
        encoding: "vocabulary" or "authors"; see `prepare_log` for what each does and for the defects of "authors".
        n_rows: Rows of a sub-sample, train, valid and test together; the whole log, left on the disk, when not given.
        max_table_rows: Limit on the rows of each embedding table; 500,000 in the authors' searches.
        min_count: For "vocabulary": a value seen in fewer train rows of the whole log shares id 0.
        hash_above: For "vocabulary": a field with more values is hashed into hash_rows table rows.
        hash_rows: Table rows of a hashed field.
        max_bad_share: Share of bad lines above which the file is refused.
        seed: Of the sub-sample; the split has the authors' own.

    Raises:
        DataError: a file cannot be read, or an option is out of range.
    """
    is_authors = encoding == "authors"
    options = LogOptions(
        encoding=encoding,
        min_count=min_count,
        hash_above=hash_above,
        hash_rows=hash_rows,
        max_table_rows=max_table_rows if is_authors else None,
        max_bad_share=max_bad_share,
    )
    key = json.dumps([[file_state(file) for file in files], asdict(options)])
    folder = cache / f"{name}-log-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
    log = prepared(name, files[0], folder, options).capped(None if is_authors else max_table_rows)
    return log if n_rows is None else draw_sample(log, n_rows, seed)


def read_stored(
    folder: Path, *, n_rows: int | None = None, max_table_rows: int | None = None, seed: int = 0
) -> LogSample | StoredLog:
    """A stored log that `prepare_log` made, or a sub-sample of it; the options are those of `read_log`.

    Raises:
        DataError: the folder holds no stored log, or an option is out of range.
    """
    log = StoredLog.open(folder).capped(max_table_rows)
    return log if n_rows is None else draw_sample(log, n_rows, seed)


def prepared(name: str, path: Path, folder: Path, options: LogOptions) -> StoredLog:
    """`prepare_log` with a progress bar for each stage."""
    title = LOG_FORMATS[name].title if name in LOG_FORMATS else name
    with ExitStack() as stack:
        bars: dict[str, Bar] = {}

        def show(progress: Progress) -> None:
            if progress.stage not in bars:
                stack.close()  # the bar of the stage before
                bars[progress.stage] = stack.enter_context(progress_bar(f"{progress.stage} {title}", "rows"))
            bars[progress.stage].update(progress.n_rows, max(progress.n_expected, progress.n_rows))

        return prepare_log(name, path, folder, options, progress=show)
