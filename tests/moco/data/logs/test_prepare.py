import gzip
import json
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.model_selection import StratifiedKFold

from moco.data.logs import reading
from moco.data.logs.formats import AVAZU
from moco.data.logs.generate import generate_log
from moco.data.logs.options import LogOptions, Progress
from moco.data.logs.prepare import prepare_log
from moco.data.logs.stored import StoredLog
from moco.data.rows import DataError

CriteoFile = Callable[..., Path]
Sample = tuple[Path, int]


def same(a: StoredLog, b: StoredLog) -> bool:
    """Whether two logs hold the same bytes, whatever file they were made from."""
    return a.digest == b.digest


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_criteo_under_the_authors_encoding(criteo_sample: Sample, tmp_path: Path) -> None:
    path, n_rows = criteo_sample
    log = prepare_log("criteo", path, tmp_path / "log", LogOptions(encoding="authors"), block_bytes=100_000)
    lines = [line.split("\t") for line in gzip.decompress(path.read_bytes()).decode().splitlines()]
    assert len(log) == len(lines) == n_rows
    labels = np.array([int(line[0]) for line in lines])
    folds = [rows for _, rows in StratifiedKFold(10, shuffle=True, random_state=2018).split(labels, labels)]
    parts = {"train": np.sort(np.concatenate(folds[:8])), "valid": folds[8], "test": folds[9]}
    for name, numbers in parts.items():
        part = log.part(name)
        np.testing.assert_array_equal(part.row_numbers, numbers)
        rows = part.rows(np.arange(len(part)))
        np.testing.assert_array_equal(rows.labels, labels[numbers])
        for f, size in enumerate(log.cardinalities):
            cells = [lines[i][14 + f] for i in numbers]
            assert rows.ids[:, f].tolist() == [int(cell, 16) % (size - 1) + 1 if cell else 0 for cell in cells]
        for d in range(13):
            counts = [max(int(lines[i][1 + d] or 0), 0) for i in numbers]
            np.testing.assert_allclose(rows.dense[:, d], np.log1p(counts), rtol=1e-6)


def test_avazu_under_both_encodings(avazu_sample: Sample, tmp_path: Path) -> None:
    path, n_rows = avazu_sample
    lines = [line.split(",") for line in gzip.decompress(path.read_bytes()).decode().splitlines()[1:]]
    authors = prepare_log("avazu", path, tmp_path / "a", LogOptions(encoding="authors"), block_bytes=100_000)
    everything = authors.gather(np.arange(n_rows))
    assert everything.dense.tolist() == [[0.0]] * n_rows
    for f, (table, column) in enumerate(zip(authors.tables, [0, *range(2, 24)], strict=True)):
        numbers = [int(x) if x.removeprefix("-").isdecimal() else int(x, 16) for x in (line[column] for line in lines)]
        expected = [number % (2**31 - 1) % (table.table_rows - 1) + 1 for number in numbers]
        assert everything.ids[:, f].tolist() == expected, table.name

    log = prepare_log("avazu", path, tmp_path / "v", LogOptions(min_count=3), block_bytes=100_000)
    train = [lines[i] for i in log.part("train").row_numbers]
    ids = log.gather(np.arange(n_rows)).ids
    for f, column in enumerate(range(2, 24)):
        cells = [line[column] for line in train]
        kept = {cell for cell in set(cells) if cells.count(cell) >= 3} if len(set(cells)) < 300 else None
        by_id = {int(i): line[column] for i, line in zip(ids[:, f], lines, strict=True) if i}
        assert all(by_id.get(int(i), line[column]) == line[column] for i, line in zip(ids[:, f], lines, strict=True))
        if kept is not None:
            assert set(by_id.values()) == kept
            assert log.cardinalities[f] == len(kept) + 1


def test_kdd(kdd_folder: Path, tmp_path: Path) -> None:
    log = prepare_log("kdd2012", kdd_folder, tmp_path / "log", LogOptions(min_count=1))
    assert log.dense == ("Depth", "Position")
    lines = [line.split("\t") for line in (kdd_folder / "training.txt").read_text().splitlines()]
    ids = log.gather(np.arange(len(log))).ids
    gender = dict(zip(ids[:, 8].tolist(), (int(x[11]) % 3 if int(x[11]) < 20 else 0 for x in lines), strict=True))
    expected = [int(x[11]) % 3 if int(x[11]) < 20 else 0 for x in lines]
    assert [gender[i] for i in ids[:, 8].tolist()] == expected
    assert sorted(gender.values()) == [0, 1, 2]
    authors = prepare_log("kdd2012", kdd_folder / "training.txt", tmp_path / "a", LogOptions(encoding="authors"))
    assert authors.dense == ("Impression", "Depth", "Position")
    # gender g of a table of 4 rows: fmod(g, 3) + 1
    assert authors.gather(np.arange(len(log))).ids[:, 8].tolist() == [g + 1 for g in expected]


def test_plain_gzip_crlf_and_block_size_give_the_same_log(criteo_file: CriteoFile, tmp_path: Path) -> None:
    path = criteo_file()
    first = prepare_log("criteo", path, tmp_path / "a")
    content = path.read_bytes()
    (tmp_path / "t.gz").write_bytes(gzip.compress(content[:-1]))
    (tmp_path / "crlf").write_bytes(content.replace(b"\n", b"\r\n"))
    for name, options in (("t.gz", {}), ("crlf", {}), ("train.txt", {"block_bytes": 3000, "n_threads": 3})):
        assert same(prepare_log("criteo", tmp_path / name, tmp_path / "b", **options), first)
    assert first.manifest["n_bad_lines"] == 0


def test_bad_lines_are_kept_with_their_numbers(
    criteo_file: CriteoFile, criteo_lines: list[bytes], tmp_path: Path
) -> None:
    lines = [*criteo_lines[:50], b"what is this", *criteo_lines[50:], b"7" + criteo_lines[0][1:]]
    path = criteo_file(lines)
    options = LogOptions(max_bad_share=0.01)
    log = prepare_log("criteo", path, tmp_path / "log", options, block_bytes=4000)
    assert len(log) == 200
    assert log.manifest["n_bad_lines"] == 2
    kept = [line.split("\t") for line in (tmp_path / "log" / "bad_lines.tsv").read_text().splitlines()]
    assert [row[0] for row in kept] == ["51", "202"]
    assert kept[0][1] == "1 columns, not 40"
    assert json.loads(kept[0][2]) == "what is this"
    assert kept[1][1] == "label must be 0 or 1, got '7'"
    # The good lines alone give the same rows.
    good = prepare_log("criteo", criteo_file(criteo_lines), tmp_path / "good")
    np.testing.assert_array_equal(good.gather(np.arange(200)).ids, log.gather(np.arange(200)).ids)
    criteo_file(lines)
    with pytest.raises(
        DataError,
        match=r"train.txt: 2 of 202 lines do not fit Criteo Kaggle, more than max_bad_share=0.001; the first is "
        r"line 51: 1 columns, not 40",
    ):
        prepare_log("criteo", path, tmp_path / "refused")
    assert names(tmp_path) == {"train.txt", "log", "good", ".log.lock", ".good.lock", ".refused.lock"}


def test_blocks_without_a_good_line(criteo_file: CriteoFile, criteo_lines: list[bytes], tmp_path: Path) -> None:
    path = criteo_file([*[b"junk"] * 2000, *criteo_lines])
    log = prepare_log("criteo", path, tmp_path / "log", LogOptions(max_bad_share=0.95), block_bytes=2000)
    assert (len(log), log.manifest["n_bad_lines"]) == (200, 2000)


def test_the_line_number_counts_the_header(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    path.write_text(",".join(AVAZU.header) + "\n" + "bad\n" * 3)
    with pytest.raises(DataError, match=r"3 of 4 lines do not fit Avazu, .* the first is line 2: 1 columns, not 24"):
        prepare_log("avazu", path, tmp_path / "log")


def test_junk_is_refused_before_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "train.txt").write_bytes(rng.integers(0, 256, 2_000_000, dtype=np.uint8).tobytes())
    parsed = []
    parse_block = reading.parse_block
    monkeypatch.setattr(reading, "parse_block", lambda *args: parsed.append(1) or parse_block(*args))
    with pytest.raises(
        DataError, match=r"lines do not fit Criteo Kaggle, more than max_bad_share=0.001; the first is li"
    ):
        prepare_log("criteo", tmp_path / "train.txt", tmp_path / "log", block_bytes=50_000)
    assert len(parsed) < 10  # of 40 blocks


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "train.txt has no rows; lines of Criteo Kaggle are expected", id="empty"),
        pytest.param(b"label\tI1\n0\t1\n", "train.txt begins with a header line", id="header"),
        pytest.param(b"0\t" * 39 + b"1\n", r"cannot split 1 rows, 0 of them with label 1, into 10 folds", id="one-row"),
        pytest.param(
            gzip.compress(b"0\t" * 3900)[:-9],
            "cannot read .*train.txt to its end .*; it is damaged, cut short or not",
            id="gzip-cut-short",
        ),
        pytest.param(b"\x00" * 3_000_000, "has a line longer than 1,048,576 bytes", id="one-line"),
    ],
)
def test_a_file_that_is_no_log_leaves_nothing(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_bytes(content)
    with pytest.raises(DataError, match=message):
        prepare_log("criteo", tmp_path, tmp_path / "log", block_bytes=100_000)
    assert names(tmp_path) == {"train.txt", ".log.lock"}


def test_options_are_checked(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="unknown log 'frappe'; logs are 'criteo', 'avazu', 'kdd2012'"):
        prepare_log("frappe", tmp_path, tmp_path / "log")
    with pytest.raises(DataError, match="unknown encoding 'x'; encodings are 'vocabulary', 'authors'"):
        LogOptions(encoding="x")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="min_count must be a whole number of at least 1, got 0"):
        LogOptions(min_count=0)
    with pytest.raises(DataError, match="hash_rows must be a whole number of at least 2, got None"):
        LogOptions(hash_rows=None)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="hash_rows must fit 32-bit ids"):
        LogOptions(hash_rows=2**31)
    with pytest.raises(DataError, match="max_bad_share must lie between 0 and 1, got 2"):
        LogOptions(max_bad_share=2)
    with pytest.raises(DataError, match="max_table_rows at preparation is for encoding 'authors'; use StoredLog"):
        LogOptions(max_table_rows=50)


def test_progress_is_told(criteo_file: CriteoFile, tmp_path: Path) -> None:
    told: list[Progress] = []
    prepare_log("criteo", criteo_file(), tmp_path / "log", progress=told.append, block_bytes=5000)
    for stage in ("reading", "encoding"):
        steps = [step for step in told if step.stage == stage]
        assert len(steps) > 5
        rows = [step.n_rows for step in steps]
        assert rows == sorted(rows)
        assert (rows[-1], steps[-1].n_expected, steps[-1].seconds_left) == (200, 200, 0.0)
        assert all(150 < step.n_expected < 250 and step.rows_per_s > 0 for step in steps[2:])


def test_the_same_log_is_made_once(criteo_file: CriteoFile, tmp_path: Path) -> None:
    path = criteo_file()
    log = prepare_log("criteo", path, tmp_path / "log")
    made = (tmp_path / "log" / "manifest.json").stat().st_mtime_ns
    assert same(prepare_log("criteo", path, tmp_path / "log"), log)
    assert (tmp_path / "log" / "manifest.json").stat().st_mtime_ns == made
    other = prepare_log("criteo", path, tmp_path / "log", LogOptions(encoding="authors"))
    assert other.encoding == StoredLog.open(tmp_path / "log").encoding == "authors"
    (tmp_path / "log" / "dense.npy").write_bytes(b"")  # damaged: made anew
    assert same(prepare_log("criteo", path, tmp_path / "log", LogOptions(encoding="authors")), other)


def test_other_files_are_left_alone(criteo_file: CriteoFile, tmp_path: Path) -> None:
    path = criteo_file()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match="mine holds other files than a stored log; choose a new folder"):
        prepare_log("criteo", path, tmp_path / "mine")
    with pytest.raises(DataError, match=r"cannot write beside .*; choose another folder"):
        prepare_log("criteo", path, path / "inside")
    assert (tmp_path / "mine" / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("limit_bytes", [3_000, 8_000])
def test_a_full_disk_says_so_and_leaves_nothing(limit_bytes: int, criteo_file: CriteoFile, tmp_path: Path) -> None:
    # A file of parsed rows takes about 6,000 bytes, dense.npy 10,528.
    path = criteo_file()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, hard))  # writes fail beyond it, as on a full disk
    try:
        with pytest.raises(DataError, match=r"cannot write .*free disk space"):
            prepare_log("criteo", path, tmp_path / "log", block_bytes=10_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert names(tmp_path) == {"train.txt", ".log.lock"}


def test_an_interrupted_job_goes_on_by_block(
    criteo_file: CriteoFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = criteo_file()
    whole = prepare_log("criteo", path, tmp_path / "whole", block_bytes=5000)
    n_told = 0

    def interrupt(_: Progress) -> None:
        nonlocal n_told
        n_told += 1
        if n_told == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare_log("criteo", path, tmp_path / "log", progress=interrupt, block_bytes=5000, n_threads=1)
    assert not (tmp_path / "log").exists()
    n_blocks = len(list((tmp_path / ".log.blocks").glob("*.json"))) - 1  # beside the plan
    assert n_blocks >= 4
    (tmp_path / ".log.0123.partial").mkdir()  # as a kill while encoding leaves it
    parsed = []
    parse_block = reading.parse_block
    monkeypatch.setattr(reading, "parse_block", lambda *args: parsed.append(1) or parse_block(*args))
    told: list[Progress] = []
    assert same(prepare_log("criteo", path, tmp_path / "log", block_bytes=5000, progress=told.append), whole)
    assert len(parsed) == sum(step.stage == "reading" for step in told) - n_blocks
    assert names(tmp_path) == {"train.txt", "log", "whole", ".log.lock", ".whole.lock"}


KILLED = """
import sys
from moco.data.logs.prepare import prepare_log
prepare_log("criteo", sys.argv[1], sys.argv[2], block_bytes=100_000, progress=lambda p: print(p.stage, flush=True))
"""


@pytest.mark.parametrize(("stage", "n_lines"), [("reading", 10), ("encoding", 5)])
def test_a_killed_job_is_made_whole_by_the_next(stage: str, n_lines: int, tmp_path: Path) -> None:
    generate_log("criteo", tmp_path / "train.txt", 12_000)
    job = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path / "train.txt"), str(tmp_path / "log")],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert job.stdout is not None
    with job.stdout:
        while n_lines and (line := job.stdout.readline()):
            n_lines -= line.strip() == stage
        job.send_signal(signal.SIGKILL)
        job.wait()
    log = prepare_log("criteo", tmp_path / "train.txt", tmp_path / "log", block_bytes=100_000)
    log.verify()
    assert same(prepare_log("criteo", tmp_path / "train.txt", tmp_path / "clean", block_bytes=100_000), log)
    assert names(tmp_path) == {"train.txt", "log", "clean", ".log.lock", ".clean.lock"}


def test_processes_that_make_the_same_log(tmp_path: Path) -> None:
    generate_log("criteo", tmp_path / "train.txt", 5_000)
    command = [sys.executable, "-c", KILLED, str(tmp_path / "train.txt"), str(tmp_path / "log")]
    jobs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [job.communicate()[0] for job in jobs]
    assert [job.returncode for job in jobs] == [0, 0]
    assert sorted("encoding" in output for output in outputs) == [False, True]  # one made it, one found it
    StoredLog.open(tmp_path / "log").verify()
    assert names(tmp_path) == {"train.txt", "log", ".log.lock"}
