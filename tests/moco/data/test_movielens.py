import gzip
import hashlib
import zipfile
from pathlib import Path

import numpy as np
import pytest

from moco.data import CtrDataset, DataError, load_dataset
from moco.data import movielens as module
from moco.data.movielens import SCHEMA, movielens_files, read_movielens


def test_movielens_100k(movielens: tuple[Path, int], tmp_path: Path) -> None:
    folder, n_ratings = movielens
    data = load_dataset("movielens-100k", folder, cache_dir=tmp_path)
    assert data.categorical == SCHEMA.categorical
    assert data.dense == ()
    assert len(data.train) == 0.8 * n_ratings
    assert len(data.valid) == len(data.test) == 0.1 * n_ratings
    if n_ratings == 100_000:
        # Ratings of 4 and 5 in u.data: 34,174 + 21,201.
        assert sum(float(part.labels.sum()) for part in (data.train, data.valid, data.test)) == 55_375
        cardinalities = dict(zip(data.categorical, data.cardinalities, strict=True))
        # 943 users, 2 genders, 21 occupations (the data set's README); hours and days of a week; and row 0 of each.
        assert {name: cardinalities[name] for name in ("user", "gender", "occupation", "hour", "weekday")} == {
            "user": 944,
            "gender": 3,
            "occupation": 22,
            "hour": 25,
            "weekday": 8,
        }


def original_files(folder: Path) -> Path:
    """One user, two films and their ratings in GroupLens's own form; 881250949 is a Thursday, 15:55:49 UTC."""
    flags = {1: "Animation Children's Comedy", 2: "unknown"}
    lines = {
        "u.data": [f"7\t{1 + i % 2}\t{3 + i % 2}\t881250949" for i in range(40)],
        "u.user": ["7|57|M|administrator|91344"],
        "u.item": [
            f"{item}|Caf\xe9 {item} (1995)|{date}||http://x|" + "|".join(str(int(g in names)) for g in module._GENRES)
            for (item, names), date in zip(flags.items(), ("01-Jan-1995", ""), strict=True)
        ],
    }
    for name, rows in lines.items():
        (folder / name).write_bytes("\n".join([*rows, ""]).encode("latin-1"))
    return folder


def test_fields_by_hand(tmp_path: Path) -> None:
    data = read_movielens(movielens_files(original_files(tmp_path)))
    values = {name: v.to_list() for name, v in zip(data.categorical, data.vocabularies, strict=True)}
    assert values == {
        "user": ["7"],
        "item": ["1", "2"],
        "age": ["11"],
        "gender": ["M"],
        "occupation": ["administrator"],
        "zip": ["91"],
        "year": ["1995"],
        "genre_1": ["Animation"],
        "genre_2": ["Children's"],
        "genre_3": ["Comedy"],
        "hour": ["15"],
        "weekday": ["4"],
    }
    # Film 2 is rated 4, film 1 is rated 3; film 2 has no year and no genre.
    np.testing.assert_array_equal(data.train.labels, data.train.ids[:, 1] == 2)
    np.testing.assert_array_equal(data.train.ids[:, 6] == 0, data.train.ids[:, 1] == 2)


def test_the_atomic_form_reads_as_the_original_form(tmp_path: Path) -> None:
    original = read_movielens(movielens_files(original_files(tmp_path)))
    ratings = (tmp_path / "u.data").read_text()
    (tmp_path / "ml-100k.inter").write_text("user_id:token\titem_id:token\trating:float\ttimestamp:float\n" + ratings)
    (tmp_path / "ml-100k.item").write_text(
        "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
        "1\tCaf\xe9 1\t1995\tAnimation Children's Comedy\n2\tunkonwn\tunkonwn\tunknown\n",
        encoding="utf-8",
    )
    (tmp_path / "ml-100k.user").write_text(
        "user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token\n7\t57\tM\tadministrator\t91344\n"
    )
    assert read_movielens(movielens_files(tmp_path)).digest == original.digest


@pytest.fixture
def package_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes for its only package index."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home-cache"))
    return folder


def build_wheel(index: Path, folder: Path) -> dict[str, str]:
    """A wheel named as the package that carries MovieLens-100k; returns the md5 of each file in it."""
    md5 = {}
    info = "recbole-1.2.1.dist-info"
    with zipfile.ZipFile(index / "recbole-1.2.1-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: recbole\nVersion: 1.2.1\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
        for file in sorted(folder.glob("ml-100k.*.gz")):
            content = gzip.decompress(file.read_bytes())
            wheel.writestr(f"recbole/dataset_example/ml-100k/{file.stem}", content)
            md5[file.stem] = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return md5


def test_fetched_through_pip_once(
    movielens: tuple[Path, int], package_index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, n_ratings = movielens
    md5 = build_wheel(package_index, folder)
    if n_ratings == 100_000:
        assert md5 == module._MD5
    monkeypatch.setattr(module, "_MD5", md5)
    fetched = load_dataset("movielens-100k")
    assert (tmp_path / "home-cache" / "moco" / "movielens-100k-files" / "ml-100k.inter").is_file()
    (package_index / "recbole-1.2.1-py3-none-any.whl").unlink()  # from here on pip would fail
    assert load_dataset("movielens-100k").digest == fetched.digest
    assert load_dataset("movielens-100k", folder).digest == fetched.digest
    assert load_dataset("movielens-100k", seed=1).digest != fetched.digest


@pytest.mark.usefixtures("package_index")
def test_no_package_index(tmp_path: Path) -> None:
    with pytest.raises(
        DataError,
        match=r"cannot fetch MovieLens-100k: pip download recbole==1.2.1 failed \(ERROR: .*\); give the path of a",
    ):
        load_dataset("movielens-100k", cache_dir=tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


def test_a_changed_package_is_refused(movielens: tuple[Path, int], package_index: Path, tmp_path: Path) -> None:
    changed = tmp_path / "changed"
    changed.mkdir()
    for file in movielens[0].glob("ml-100k.*.gz"):
        (changed / file.name).write_bytes(gzip.compress(gzip.decompress(file.read_bytes()) + b"\n"))
    build_wheel(package_index, changed)
    with pytest.raises(DataError, match=r"ml-100k.inter in recbole.*whl is not the known file \(md5 differs\)"):
        load_dataset("movielens-100k", cache_dir=tmp_path / "cache")
    (changed / "ml-100k.inter.gz").unlink()
    build_wheel(package_index, changed)
    with pytest.raises(DataError, match=r"holds no recbole/dataset_example/ml-100k/ml-100k.inter; give a path"):
        load_dataset("movielens-100k", cache_dir=tmp_path / "cache")


def test_errors(tmp_path: Path) -> None:
    def load() -> CtrDataset:
        return load_dataset("movielens-100k", tmp_path, cache_dir=tmp_path / "cache")

    with pytest.raises(
        DataError, match=r"no MovieLens-100k in .*; ml-100k.inter, .* or u.data, u.item, u.user are exp"
    ):
        load()
    original_files(tmp_path)
    (tmp_path / "u.user").write_text("7|57|M\n")
    with pytest.raises(DataError, match=r"u.user must have the 5 columns user, age, gender, occupation, zip"):
        load()
    original_files(tmp_path)
    (tmp_path / "u.data").write_text("7\t1\tfive\t881250949\n")
    with pytest.raises(DataError, match=r"u.data: numeric column 'rating' holds 'five' in row 1"):
        load()
