import gzip
import hashlib
import zipfile
from collections.abc import Callable
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


def split_files(folder: Path) -> Path:
    """GroupLens's form of 60 ratings by 6 users, two of each user's ten in u1.test."""
    original_files(folder)
    ratings = [f"{1 + i % 6}\t{1 + i // 6}\t{3 + (i // 6 + i // 12) % 2}\t881250949" for i in range(60)]
    for name, rows in (("u.data", ratings), ("u1.base", ratings[12:]), ("u1.test", ratings[:12])):
        (folder / name).write_text("\n".join([*rows, ""]))
    return folder


def test_split_of_grouplens(tmp_path: Path) -> None:
    folder = split_files(tmp_path)
    data = load_dataset("movielens-100k", folder, split="u1", valid_fraction=0.25, cache_dir=tmp_path / "cache")
    assert data.name == "MovieLens-100k, split u1"
    assert (len(data.train), len(data.valid), len(data.test)) == (36, 12, 12)
    # Films 1 and 2 are in u1.test alone, in its order: film 1 is rated 3 and film 2 is rated 4 by users 1 to 6.
    items, users = data.test.ids[:, 1], data.test.ids[:, 0]
    np.testing.assert_array_equal(items, 0)
    assert [data.vocabularies[0][int(user) - 1] for user in users] == ["1", "2", "3", "4", "5", "6"] * 2
    np.testing.assert_array_equal(data.test.labels, [0.0] * 6 + [1.0] * 6)
    assert abs(float(data.train.labels.mean() - data.valid.labels.mean())) < 0.05
    plain = load_dataset("movielens-100k", folder, cache_dir=tmp_path / "cache")
    assert (plain.name, len(plain.train)) == ("MovieLens-100k", 48)


def test_a_changed_split_is_read_again(tmp_path: Path) -> None:
    folder = split_files(tmp_path)
    load_dataset("movielens-100k", folder, split="u1", cache_dir=tmp_path / "cache")
    (folder / "u1.test").write_text("1\t1\t3\t881250949\n")
    with pytest.raises(
        DataError, match=r"the 60 ratings of u.data once, got 49 ratings, 0 of them foreign and 11 lack"
    ):
        load_dataset("movielens-100k", folder, split="u1", cache_dir=tmp_path / "cache")


def test_split_beside_the_atomic_form(tmp_path: Path) -> None:
    files = movielens_files(split_files(tmp_path))
    expected = read_movielens(files, split="u1")
    rows = [line.split("\t") for line in (tmp_path / "u.data").read_text().splitlines()]
    (tmp_path / "ml-100k.inter").write_text(
        "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
        + "".join(f"{user}\t{item}\t{rating}.0\t{second}\n" for user, item, rating, second in rows)
    )
    (tmp_path / "ml-100k.item").write_text(
        "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
        "1\tCaf\xe9\t1995\tAnimation Children's Comedy\n",
        encoding="utf-8",
    )
    (tmp_path / "ml-100k.user").write_text(
        "user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token\n7\t57\tM\tadministrator\t91344\n"
    )
    atomic = movielens_files(tmp_path)
    assert atomic[0].name == "ml-100k.inter"
    assert read_movielens(atomic, split="u1").digest == expected.digest


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        pytest.param(
            "u1.test", lambda text: "9" + text[1:], r"1 of them foreign and 1 lacking; unpack", id="another-user"
        ),
        pytest.param(
            "u1.base", lambda text: text + text, r"got 108 ratings, 0 of them foreign and 0 lacking", id="twice"
        ),
        pytest.param(
            "u1.base",
            lambda text: text[: text.index("\n", 300) + 1],
            r"must hold each of the 60 ratings of u.d",
            id="cut",
        ),
        pytest.param(
            "u1.test", lambda text: text.replace("\t3\t", "\t5\t"), r"6 of them foreign and 6 lack", id="rating"
        ),
        pytest.param(
            "u1.test",
            lambda text: text + "1\t3\t4\t881250949\n",
            r"u1.base and u1.test must not share ratings, but both hold 1, first that of item 3 by user 1",
            id="in-both",
        ),
    ],
)
def test_split_that_is_not_of_these_ratings(
    name: str, change: Callable[[str], str], message: str, tmp_path: Path
) -> None:
    path = split_files(tmp_path) / name
    path.write_text(change(path.read_text()))
    with pytest.raises(DataError, match=message):
        read_movielens(movielens_files(tmp_path), split="u1")


def test_split_errors(tmp_path: Path) -> None:
    files = movielens_files(split_files(tmp_path))
    with pytest.raises(DataError, match=r"unknown split 'u6' of MovieLens-100k; splits are 'u1', 'u2', .*, 'ua', 'ub'"):
        read_movielens(files, split="u6")
    with pytest.raises(
        DataError, match=r"split 'ua' needs ua.base in .*; give a folder with all of GroupLens's ml-100k"
    ):
        read_movielens(files, split="ua")
    with pytest.raises(DataError, match=r"valid_fraction must lie between 0 and 1, got 1"):
        read_movielens(files, split="u1", valid_fraction=1)


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
