from pathlib import Path

import pytest

from moco.data.logs.formats import AVAZU, CRITEO, KDD2012
from moco.data.rows import DataError


def test_fields_of_the_authors() -> None:
    # 13 / 26, a placeholder / 23, 3 / 10 dense and sparse fields (NASRec).
    shapes = [(len(f.dense("authors")), len(f.categorical("authors"))) for f in (CRITEO, AVAZU, KDD2012)]
    assert shapes == [(13, 26), (1, 23), (3, 10)]
    names = [column.name for column in KDD2012.categorical("authors")]
    assert names[:3] == ["DisplayURL", "AdID", "AdvertiserID"]
    assert names[3:] == ["QueryID", "KeywordID", "TitleID", "DescriptionID", "UserID", "gender", "age"]


def test_what_leaks_is_left_out_by_default() -> None:
    assert KDD2012.dense("vocabulary") == ("Depth", "Position")
    assert AVAZU.dense("vocabulary") == ()
    assert "id" not in [column.name for column in AVAZU.categorical("vocabulary")]
    assert len(CRITEO.categorical("vocabulary")) == 26


def test_files_are_found(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no train.csv in .*; it, train.csv.gz or train.csv.zst is expected there"):
        AVAZU.find(tmp_path)
    (tmp_path / "train.gz").touch()
    assert AVAZU.find(tmp_path) == (tmp_path / "train.gz",)
    assert AVAZU.find(tmp_path / "train.gz") == (tmp_path / "train.gz",)
    (tmp_path / "training.txt").touch()
    with pytest.raises(DataError, match=r"no userid_profile.txt in "):
        KDD2012.find(tmp_path / "training.txt")
    (tmp_path / "userid_profile.txt.zst").touch()
    assert KDD2012.find(tmp_path) == (tmp_path / "training.txt", tmp_path / "userid_profile.txt.zst")
    with pytest.raises(DataError, match=r"nothing does not exist; the folder with training.txt and userid_profile.txt"):
        KDD2012.find(tmp_path / "nothing")
