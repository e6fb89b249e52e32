from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from moco.data.logs.formats import LOG_FORMATS
from moco.data.logs.generate import _LIKENESSES, generate_log
from moco.data.logs.options import EncodingName, LogOptions
from moco.data.logs.parse import ParsedBlock, parse_block
from moco.data.logs.prepare import prepare_log
from moco.data.logs.profiles import read_profiles
from moco.data.logs.sample import draw_sample
from moco.data.rows import DataError

N_ROWS = 20_000
# Rows of label 1 and bytes a line of the real files: 11.2 GB / 45.8 million, 5.9 GB / 40.4 million.
LIKENESS = {"criteo": (0.256, 250), "avazu": (0.17, 150), "kdd2012": (0.04, 55)}

Generated = dict[str, Path]


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Generated:
    folders = {name: tmp_path_factory.mktemp(name) for name in LOG_FORMATS}
    for name, folder in folders.items():
        generate_log(name, folder, N_ROWS)
    return folders


@pytest.fixture
def parsed(generated: Generated) -> Callable[[str, EncodingName], ParsedBlock]:
    def read(name: str, encoding: EncodingName) -> ParsedBlock:
        log_format = LOG_FORMATS[name]
        files = log_format.find(generated[name])
        text = files[0].read_bytes()
        if log_format.has_header:
            header, _, text = text.partition(b"\n")
            assert tuple(header.decode().split(",")) == log_format.header
        return parse_block(text, log_format, encoding, read_profiles(files[1], 1 << 20) if files[1:] else None)

    return read


@pytest.mark.parametrize("encoding", ["vocabulary", "authors"])
@pytest.mark.parametrize("name", LOG_FORMATS)
def test_every_line_is_of_the_format(
    parsed: Callable[..., ParsedBlock], generated: Generated, name: str, encoding: EncodingName
) -> None:
    block = parsed(name, encoding)
    assert (block.labels.size, block.bad) == (N_ROWS, ())
    label_share, line_bytes = LIKENESS[name]
    assert block.labels.mean() == pytest.approx(label_share, rel=0.1)
    n_bytes = LOG_FORMATS[name].find(generated[name])[0].stat().st_size
    assert n_bytes / N_ROWS == pytest.approx(line_bytes, rel=0.1)


@pytest.mark.parametrize("name", LOG_FORMATS)
def test_fields_have_as_many_values_as_the_real_ones(parsed: Callable[..., ParsedBlock], name: str) -> None:
    block = parsed(name, "vocabulary")
    for f, column in enumerate(LOG_FORMATS[name].categorical("vocabulary")):
        is_missing = np.unpackbits(block.missing, axis=1)[:, f] == 1
        n_values = np.unique(block.keys[f][~is_missing]).size
        if column.authors_rows <= 20:
            assert n_values == column.authors_rows - 1, column.name
        assert n_values < column.authors_rows
        assert n_values > min(column.authors_rows, N_ROWS) / 8, column.name
        values, counts = np.unique(block.keys[f], return_counts=True)
        rates = [block.labels[block.keys[f] == key].mean() for key in values[np.argsort(-counts)[:2]]]
        assert len(set(rates)) == len(rates), column.name  # each value has a weight of its own


def test_values_are_as_many_as_declared() -> None:
    for name, likeness in _LIKENESSES.items():
        rows = {column.name: column.authors_rows for column in LOG_FORMATS[name].columns}
        for column, values in likeness.values.items():
            assert len(set(values)) == rows[column] - 1, column


def test_avazu_goes_on_in_time_and_names_each_row(generated: Generated) -> None:
    lines = [line.split(",") for line in (generated["avazu"] / "train.csv").read_text().splitlines()[1:]]
    hours = [int(line[2]) for line in lines]
    assert hours == sorted(hours)
    assert (hours[0], hours[-1], len(set(hours))) == (14102100, 14103023, 240)
    assert len({line[0] for line in lines}) == N_ROWS


def test_kdd_counts_clicks_among_impressions_and_knows_most_users(generated: Generated) -> None:
    cells = np.loadtxt(generated["kdd2012"] / "training.txt", dtype=np.uint64, delimiter="\t")
    clicks, impressions, depth, position, users = cells[:, [0, 1, 5, 6, 11]].T
    assert (clicks <= impressions).all()
    assert clicks.max() > 1
    assert impressions[clicks > 0].mean() > 1.1 * impressions[clicks == 0].mean()  # which is the leak
    assert (position >= 1).all()
    assert (position <= depth).all()
    assert set(depth.tolist()) == {1, 2, 3}
    profiles = np.loadtxt(generated["kdd2012"] / "userid_profile.txt", dtype=np.uint64, delimiter="\t")
    known = set(profiles[:, 0].tolist())
    seen = set(users.tolist())
    assert known < seen
    assert len(known) / len(seen) == pytest.approx(7 / 8, abs=0.01)
    assert set(profiles[:, 1].tolist()) == {0, 1, 2}
    assert set(profiles[:, 2].tolist()) == set(range(7))


def test_a_model_of_the_values_learns_the_label(generated: Generated, tmp_path: Path) -> None:
    # Naive Bayes on the values alone, which sees no interaction: what any network must beat.
    from sklearn.metrics import roc_auc_score

    log = prepare_log("avazu", generated["avazu"], tmp_path / "log", LogOptions(min_count=20))
    data = draw_sample(log)
    score = np.zeros(len(data.test))
    for f, rows in enumerate(data.cardinalities):
        shown = np.bincount(data.train.ids[:, f], minlength=rows) + 20.0
        clicked = np.bincount(data.train.ids[:, f], data.train.labels, minlength=rows) + 20.0 * 0.17
        score += np.log(clicked / (shown - clicked))[data.test.ids[:, f]]
    assert roc_auc_score(data.test.labels, score) > 0.63


@pytest.mark.parametrize("name", LOG_FORMATS)
def test_the_same_seed_gives_the_same_file(name: str, tmp_path: Path) -> None:
    for folder, n_rows, seed in (("a", 9000, 0), ("b", 9000, 0), ("c", 9000, 1), ("longer", 17_000, 0)):
        (tmp_path / folder).mkdir()
        generate_log(name, tmp_path / folder, n_rows, seed)
    a, b, c, longer = (
        LOG_FORMATS[name].find(tmp_path / folder)[0].read_bytes() for folder in ("a", "b", "c", "longer")
    )
    assert a == b != c
    assert a.count(b"\n") == 9000 + LOG_FORMATS[name].has_header
    assert longer.startswith(a) == (name != "avazu")  # whose hours span ten days


def test_progress_counts_rows(tmp_path: Path) -> None:
    told: list[int] = []
    generate_log("criteo", tmp_path / "train.txt", 10_000, progress=told.append)
    assert told == [8192, 10_000]
    assert [path.name for path in tmp_path.iterdir()] == ["train.txt"]


def test_errors(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="unknown log 'frappe'; logs are 'criteo', 'avazu', 'kdd2012'"):
        generate_log("frappe", tmp_path / "a", 5)
    with pytest.raises(DataError, match="n_rows must be a whole number of at least 1, got 0"):
        generate_log("criteo", tmp_path / "a", 0)
    with pytest.raises(DataError, match="seed must be a whole number of at least 0, got -1"):
        generate_log("criteo", tmp_path / "a", 5, -1)
    with pytest.raises(DataError, match=r"cannot write .*; free disk space or choose another path"):
        generate_log("criteo", tmp_path / "nowhere" / "a", 5)
    (tmp_path / "real").write_text("mine")
    with pytest.raises(DataError, match=r"real is there already, and may be a real log; choose another path"):
        generate_log("criteo", tmp_path / "real", 5)
    with pytest.raises(DataError, match=r"cannot write .*real"):
        generate_log("kdd2012", tmp_path / "real", 5)
    assert (tmp_path / "real").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["real"]
