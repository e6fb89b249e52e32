import time
from pathlib import Path

from moco.supernet import TrainProgress
from moco.training import shares
from moco.training.shares import Shares, share_writer


def test_shares_of_begun_trainings_are_told(monkeypatch) -> None:
    monkeypatch.setattr(shares, "SECONDS_BETWEEN_LOOKS", 0.01)
    told: list[tuple[float, float]] = []
    with Shares(4, lambda done, total: told.append((done, total))) as told_shares:
        told_shares.tell(1)
        share_writer(told_shares.file("a"))(TrainProgress(25, 100, ""))
        share_writer(told_shares.file("b"))(TrainProgress(50, 100, ""))
        deadline = time.monotonic() + 10
        while (1.75, 4) not in told and time.monotonic() < deadline:
            time.sleep(0.01)
        told_shares.tell(2, ended="a")
        while (2.5, 4) not in told and time.monotonic() < deadline:
            time.sleep(0.01)
    assert told[0] == (1, 4)
    assert {(1.75, 4), (2.5, 4)} <= set(told)


def test_a_reader_that_is_gone_stops_nothing(tmp_path: Path) -> None:
    share_writer(tmp_path / "gone" / "a")(TrainProgress(1, 2, ""))
    with Shares(1, None) as nobody_asks:
        nobody_asks.tell(0)
