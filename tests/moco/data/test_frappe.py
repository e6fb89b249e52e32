import gzip
import shutil
from pathlib import Path

import pytest

from moco.data import DataError, load_dataset
from moco.data.frappe import SCHEMA, frappe_files, read_frappe

GOOD_ROWS = ["1,1,2,3,4,5,6,7,8,9,10", "0,1,3,3,4,5,6,7,8,9,10"]


def test_frappe_in_its_given_split(frappe: tuple[Path, str, tuple[int, int, int]], tmp_path: Path) -> None:
    folder, name, n_rows = frappe
    data = load_dataset("frappe", folder, cache_dir=tmp_path)
    assert data.name == name
    assert (len(data.train), len(data.valid), len(data.test)) == n_rows
    assert data.categorical == SCHEMA.categorical
    assert data.dense == ()
    assert data.train.dense.shape == (n_rows[0], 0)
    if name.startswith("Frappe_x1"):
        # Two negatives for each positive; 67,604 train positives: BARS, Frappe_x1.
        assert data.train.labels.sum() == 67_604
        # 957 users, 4,082 items, ..., 233 cities in all rows: He and Chua, SIGIR 2017; three users occur in
        # valid or test alone and are out of vocabulary.
        assert dict(zip(data.categorical, data.cardinalities, strict=True)) == {
            "user": 955,
            "item": 4083,
            "daytime": 8,
            "weekday": 8,
            "isweekend": 3,
            "homework": 4,
            "cost": 3,
            "weather": 10,
            "country": 81,
            "city": 234,
        }


def write(folder: Path, train: list[str], name: str = "train.csv") -> Path:
    header = ",".join(["label", *SCHEMA.categorical])
    for file, rows in ((name, train), ("valid.csv", GOOD_ROWS), ("test.csv", GOOD_ROWS)):
        (folder / file).write_text("\r\n".join([header, *rows, ""]))
    return folder


def test_other_rows_are_not_called_frappe_x1(tmp_path: Path) -> None:
    data = load_dataset("frappe", write(tmp_path, GOOD_ROWS), cache_dir=tmp_path / "cache")
    assert data.name == "Frappe, not the Frappe_x1 split"
    assert data.cardinalities == (2, 3, 2, 2, 2, 2, 2, 2, 2, 2)


def test_plain_and_gzip_are_the_same(frappe: tuple[Path, str, tuple[int, int, int]], tmp_path: Path) -> None:
    folder, name, _ = frappe
    plain = tmp_path / "plain"
    plain.mkdir()
    for file in folder.glob("*.csv.gz"):
        with gzip.open(file) as packed, (plain / file.stem).open("wb") as unpacked:
            shutil.copyfileobj(packed, unpacked)
    data = load_dataset("frappe", plain, cache_dir=tmp_path / "cache")
    assert data.name == name
    assert data.digest == load_dataset("frappe", folder, cache_dir=tmp_path / "cache").digest


def libsvm_of(csv: str, negative: str) -> str:
    cells = (row.partition(",") for row in csv.split()[1:])
    lines = (f"{'1' if label == '1' else negative} {ids.replace(',', ':1 ')}:1" for label, _, ids in cells)
    return "\n".join([*lines, ""])


@pytest.mark.parametrize(
    ("names", "negative"),
    [
        pytest.param(("frappe.train.libfm", "frappe.validation.libfm", "frappe.test.libfm"), "-1", id="NFM"),
        pytest.param(("train.libsvm", "valid.libsvm", "test.libsvm"), "0", id="AFN"),
    ],
)
def test_libfm_and_libsvm_are_the_same(
    names: tuple[str, str, str], negative: str, frappe: tuple[Path, str, tuple[int, int, int]], tmp_path: Path
) -> None:
    folder, name, _ = frappe
    for stem, other in zip(("train_rebuilt", "valid", "test"), names, strict=True):
        with gzip.open(folder / f"{stem}.csv.gz", "rt") as csv:
            (tmp_path / other).write_text(libsvm_of(csv.read(), negative))
    data = read_frappe(frappe_files(tmp_path))
    # The name, too: written as csv the lines have the md5 that BARS publishes.
    assert data.name == name
    assert data.digest == read_frappe(frappe_files(folder)).digest
    (tmp_path / names[1]).write_text(libsvm_of("\n".join(["header", *GOOD_ROWS]), negative))
    changed = read_frappe(frappe_files(tmp_path))
    assert (changed.name, len(changed.valid)) == ("Frappe, not the Frappe_x1 split", 2)


def test_errors_of_libsvm(tmp_path: Path) -> None:
    write(tmp_path, GOOD_ROWS).joinpath("valid.csv").unlink()
    (tmp_path / "valid.libsvm").write_text(libsvm_of("header\n1,1,2,3,4,5,6,7,8,9,10", "0"))
    with pytest.raises(DataError, match=r"part 'valid' of data set 'Frappe, .*has only label 1"):
        load_dataset("frappe", tmp_path, cache_dir=tmp_path / "cache")
    (tmp_path / "valid.libsvm").write_text("1 2:1 3:1\n")
    with pytest.raises(DataError, match=r"valid.libsvm: each line has 2 entries, but there are 10 fields: 'user', "):
        load_dataset("frappe", tmp_path, cache_dir=tmp_path / "cache")
    (tmp_path / "valid.libsvm").write_text("1 " + " ".join(f"{k}:{k}" for k in range(10)) + "\n")
    with pytest.raises(DataError, match=r"valid.libsvm: all fields of Frappe are categorical, but 'user' has other v"):
        load_dataset("frappe", tmp_path, cache_dir=tmp_path / "cache")


def test_errors(tmp_path: Path) -> None:
    def load() -> None:
        load_dataset("frappe", tmp_path, cache_dir=tmp_path / "cache")

    with pytest.raises(DataError, match=r"no train file of Frappe in .*; train.csv or train.csv.gz or train_rebuilt"):
        load()
    write(tmp_path, [*GOOD_ROWS, "1,1,2"])
    with pytest.raises(DataError, match=r"train.csv: line 4 has 3 fields, the first line has 11"):
        load()
    write(tmp_path, [*GOOD_ROWS, "-1,1,2,3,4,5,6,7,8,9,10"])
    with pytest.raises(DataError, match=r"train.csv: label 'label' must be 0 or 1, got '-1' in row 3"):
        load()
    (tmp_path / "train.csv").write_text("label,user\n1,2\n")
    with pytest.raises(
        DataError, match=r"train.csv: unknown column 'item', 'daytime', .*; columns are 'label', 'user'"
    ):
        load()
