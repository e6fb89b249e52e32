"""Files in the raw formats of the public logs, of any size, for tests of scale and a first run without the real ones.

Each field has as many values as the real log has in it (10.1 million in Criteo's C3), drawn by a power law, so that a
tenth of the file holds far more than a tenth of the values, as in a real log. The rows are nobody's.

The label depends on the values. Each value v of field f has a weight w and a vector u of three numbers, uniform from -1
to 1 and told by a hash, so that they take no memory; those of a number x are ln(1 + x) - 1.2 times its field's own:

    logit = b + sqrt(3 / F) * (sum_f w_f(v_f) + sum_f u_f(v_f) . u_f+1(v_f+1))

over the F fields but row ids and what is known only after the fact, each beside the next one and the last beside the
first. Half of what can be learned lies in the second sum: a model without interactions misses it. b sets the share of
label 1.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from moco.data.logs.formats import LOG_FORMATS, Column, LogFormat
from moco.data.logs.keys import mixed
from moco.data.logs.lines import decimal_cells, hex_cells, lines
from moco.data.rows import DataError

Numbers = NDArray[np.uint64]

_ROWS_AT_ONCE = 1 << 13  # whose columns fit the processor's cache
_HOURS = tuple(14_10_21_00 + 100 * day + hour for day in range(10) for hour in range(24))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Likeness:
    """What a log has that its format does not tell.

    Attributes:
        label_share: Rows of label 1.
        missing_share: Empty cells of each second field.
        values: Of the decimal columns whose values are not the numbers from 0: as many as in the real log and in their
            range, the most frequent first where that is known. Avazu's are those of a sample of its first hour.
    """

    label_share: float
    missing_share: float = 0.0
    values: Mapping[str, Sequence[int]] = field(default_factory=dict)


_LIKENESSES = {
    "criteo": _Likeness(label_share=0.256, missing_share=0.12),  # the real fields miss 0 to 80 %
    "avazu": _Likeness(
        label_share=0.17,
        values={
            "hour": _HOURS,
            "C1": (1005, 1002, 1010, 1012, 1007, 1001, 1008),
            "banner_pos": (0, 1, 7, 2, 4, 5, 3),
            "device_type": (1, 0, 4, 5, 2),
            "device_conn_type": (0, 2, 3, 5),
            "C14": range(375, 375 + 9 * 2626, 9),
            "C15": (320, 300, 216, 728, 120, 1024, 480, 768),
            "C16": (50, 250, 36, 480, 90, 20, 768, 320, 1024),
            "C17": range(112, 112 + 6 * 435, 6),
            "C18": (0, 3, 2, 1),
            "C19": range(33, 33 + 27 * 68, 27),
            "C20": (-1, *range(100_000, 100_171)),
            "C21": range(1, 1 + 4 * 60, 4),
        },
    ),
    "kdd2012": _Likeness(
        label_share=0.04,
        values={"DisplayURL": range(1, 26_273 * 699_999_999_999_989, 699_999_999_999_989)},  # hashes of 64 bits
    ),
}


@dataclass(frozen=True, slots=True)
class _Block:
    """Rows under way.

    Attributes:
        rng: Their own.
        at: (N,) numbers of the rows, from 0.
        n_rows: Of the whole file.
        drawn: (N,) of each column the number, or the rank of the value.
    """

    rng: np.random.Generator
    at: Numbers
    n_rows: int
    drawn: dict[str, Numbers] = field(default_factory=dict)

    def ranks(self, n_values: int) -> Numbers:
        """(N,) ranks below n_values, k about in proportion to (k + 1) ** -1.1 (inverse transform).

        The exponent is a choice, not a fit; it makes the transform a tenth power, which is quick.
        """
        x = self.rng.random(self.at.size) * ((n_values + 1.0) ** -0.1 - 1.0) + 1.0
        x *= x
        x4 = x * x
        ranks: Numbers = np.minimum(1.0 / (x4 * x4 * x) - 1.0, n_values - 1).astype(np.uint64)
        return ranks

    def counts(self) -> Numbers:
        """(N,) counts with a long tail."""
        normal = self.rng.standard_normal(self.at.size, dtype=np.float32)
        counts: Numbers = np.exp(1.0 + 1.5 * normal).astype(np.uint64)
        return counts


_DRAWS: dict[str, Callable[[_Block], Numbers]] = {
    # A product with an odd number is one to one on the low bits.
    "id": lambda block: (block.at + 1) * np.uint64(0x9E3779B97F4A7C15) & np.uint64(2**62 - 1) | np.uint64(2**62),
    "hour": lambda block: np.minimum(block.at, block.n_rows - 1) * len(_HOURS) // block.n_rows,
    "Impression": lambda block: block.rng.geometric(0.8, block.at.size).astype(np.uint64),
    "Depth": lambda block: block.ranks(3) + 1,
    "Position": lambda block: (block.rng.random(block.at.size) * block.drawn["Depth"]).astype(np.uint64) + 1,
}


def generate_log(
    name: str, path: str | Path, n_rows: int, seed: int = 0, *, progress: Callable[[int], None] | None = None
) -> None:
    """Write a log in a public log's raw format, plain.

    The same arguments give the same files. A log begins as a longer one of the same seed does, but for Avazu's hours,
    which cover ten days in a log of any size. Seeds differ in the rows, not in what the values do to the label.

    Args:
        name: "criteo", "avazu" or "kdd2012".
        path: Of the file, or of a folder that is there. For KDD Cup 2012, which has two files, of the folder.
        n_rows: Lines; about 250, 155 and 55 bytes each.
        seed: Of all draws.
        progress: Called with the rows that are written.

    Raises:
        DataError: an argument is out of range, a file is there already, or it cannot be written.
    """
    if name not in LOG_FORMATS:
        raise DataError(f"unknown log {name!r}; logs are {', '.join(map(repr, LOG_FORMATS))}")
    for argument, number, least in (("n_rows", n_rows, 1), ("seed", seed, 0)):
        if not isinstance(number, int) or number < least:
            raise DataError(f"{argument} must be a whole number of at least {least}, got {number!r}")
    log_format, path = LOG_FORMATS[name], Path(path).expanduser()
    is_folder = path.is_dir() or len(log_format.files) > 1
    files = [path / file for file in log_format.files] if is_folder else [path]
    for file in files:
        if file.exists():
            raise DataError(f"{file} is there already, and may be a real log; choose another path")
    partial = [file.with_name(f".{file.name}.partial") for file in files]
    try:
        if is_folder:
            path.mkdir(exist_ok=True)
        _write(log_format, partial, n_rows, seed, progress)
        for written, file in zip(partial, files, strict=True):
            written.replace(file)
    except OSError as error:
        raise DataError(f"cannot write {path} ({error}); free disk space or choose another path") from error
    finally:
        for written in partial:
            with suppress(OSError):
                written.unlink()


def _write(
    log_format: LogFormat, files: list[Path], n_rows: int, seed: int, progress: Callable[[int], None] | None
) -> None:
    likeness, intercept = _LIKENESSES[log_format.name], _intercept(log_format)
    label = next(column.name for column in log_format.columns if column.kind == "label")
    texts = {name: np.array([b"%d" % value for value in values]) for name, values in likeness.values.items()}
    is_seen = np.zeros(log_format.columns[-1].authors_rows if log_format.joined else 0, dtype=np.bool_)  # users
    with files[0].open("wb") as file:
        if log_format.has_header:
            file.write(f"{log_format.separator.join(log_format.header)}\n".encode())
        for first in range(0, n_rows, _ROWS_AT_ONCE):
            rng = np.random.default_rng((seed, first))
            block = _drawn(log_format, rng, np.arange(first, first + _ROWS_AT_ONCE, dtype=np.uint64), n_rows)
            clicks = rng.binomial(_trials(log_format, block), _probability(_logits(log_format, block) + intercept))
            block.drawn[label] = clicks.astype(np.uint64)
            kept = min(_ROWS_AT_ONCE, n_rows - first)
            cells = [_cells(column, place, block, texts) for place, column in enumerate(log_format.columns)]
            if likeness.missing_share:
                for column in cells[2::2]:
                    column[rng.random(column.size, dtype=np.float32) < likeness.missing_share] = b""
            file.write(lines([column[:kept] for column in cells], log_format.separator))
            if log_format.joined:
                is_seen[block.drawn[log_format.columns[-1].name][:kept]] = True
            if progress is not None:
                progress(first + kept)
    if log_format.joined:
        with files[1].open("wb") as file:
            for first in range(0, is_seen.size, 1 << 20):
                users = (np.flatnonzero(is_seen[first : first + (1 << 20)]) + first).astype(np.uint64)
                is_known, values = _profiles(log_format, users)
                if is_known.any():
                    cells = [decimal_cells(column[is_known]) for column in (users, *values)]
                    file.write(lines(cells, log_format.separator))


def _drawn(log_format: LogFormat, rng: np.random.Generator, at: Numbers, n_rows: int) -> _Block:
    """All columns but the label, also those that the second file adds."""
    block = _Block(rng, at, n_rows)
    for column in log_format.columns:
        if column.kind == "label":
            continue
        if column.name in _DRAWS:
            numbers = _DRAWS[column.name](block)
        elif column.kind == "number":
            numbers = block.counts()
        else:
            numbers = block.ranks(column.authors_rows - 1)
        block.drawn[column.name] = numbers
    if log_format.joined:
        is_known, values = _profiles(log_format, block.drawn[log_format.columns[-1].name])
        for column, numbers in zip(log_format.joined, values, strict=True):
            block.drawn[column.name] = numbers * is_known
    return block


def _profiles(log_format: LogFormat, users: Numbers) -> tuple[NDArray[np.bool_], list[Numbers]]:
    """(N,) whether users have a profile, as seven of eight do, and what it says."""
    hashed = mixed(users + np.uint64(1 << 50))
    values = [
        (hashed >> np.uint64(8 * place)) % np.uint64(column.authors_rows - 1)
        for place, column in enumerate(log_format.joined, start=1)
    ]
    return hashed % np.uint64(8) > 0, values


def _trials(log_format: LogFormat, block: _Block) -> NDArray[np.int64]:
    """(N,) how often each row could have been clicked."""
    return (block.drawn["Impression"] if log_format.counts_clicks else np.ones_like(block.at)).astype(np.int64)


def _probability(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.reciprocal(np.float32(1) + np.exp(-logits))


def _logits(log_format: LogFormat, block: _Block) -> NDArray[np.float32]:
    """(N,) the sums that the file's description tells of, without b."""
    columns = [c for c in (*log_format.columns, *log_format.joined) if c.kind != "label" and not c.only_authors]
    weights = [_weights(column, place, block.drawn[column.name]) for place, column in enumerate(columns)]
    logits = np.zeros(block.at.size, dtype=np.float32)
    for here, beside in zip(weights, [*weights[1:], weights[0]], strict=True):
        logits += here[0]
        logits += (here[1:] * beside[1:]).sum(axis=0)
    scaled: NDArray[np.float32] = logits * np.float32(np.sqrt(3.0 / len(columns)))
    return scaled


def _weights(column: Column, place: int, numbers: Numbers) -> NDArray[np.float32]:
    """(4, N) weight and vector of each value of a column."""
    of_field = np.array([place << 40], dtype=np.uint64)
    hashed = mixed(of_field if column.kind == "number" else numbers + of_field)
    weights = np.ascontiguousarray(hashed.view(np.int16).reshape(-1, 4).T).astype(np.float32) / np.float32(2**15)
    if column.kind == "number":
        weights = weights * (np.log1p(numbers.astype(np.float32)) - np.float32(1.2))
    return weights


def _intercept(log_format: LogFormat) -> float:
    """The intercept b, from rows of its own, spread over the whole time of a log; by bisection."""
    at = np.arange(_ROWS_AT_ONCE, dtype=np.uint64)
    block = _drawn(log_format, np.random.default_rng(0), at, _ROWS_AT_ONCE)
    logits, trials = _logits(log_format, block), _trials(log_format, block)
    low, high = -20.0, 20.0
    for _ in range(20):
        middle = (low + high) / 2
        is_clicked = 1.0 - (1.0 - _probability(logits + middle)) ** trials
        low, high = (middle, high) if is_clicked.mean() < _LIKENESSES[log_format.name].label_share else (low, middle)
    return middle


def _cells(column: Column, place: int, block: _Block, texts: dict[str, NDArray[np.bytes_]]) -> NDArray[np.bytes_]:
    """(N,) the text of a column."""
    numbers = block.drawn[column.name]
    if column.name in texts:
        return texts[column.name][numbers]
    if column.kind == "hex":
        # One to one, so that distinct values have distinct hashes.
        scattered = (numbers.astype(np.uint32) + 1) * np.uint32(0x9E3779B1) ^ np.uint32(place * 0x85EBCA6B % 2**32)
        return hex_cells(scattered)
    return decimal_cells(numbers)
