"""A search killed 200 times, in four ways: at random moments, at random SQL statements and virtual-machine steps, and
within writes. After each kill the file must hold what was committed, and go on as an unbroken search:

    python -m tests.benchmarks crashes
"""

from __future__ import annotations

import logging
import tempfile
import time
from pathlib import Path

from tests.studies.conftest import assert_same
from tests.studies.test_crashes import survived

N_KILLS = 200


def main() -> None:
    logging.getLogger("studies").setLevel(logging.ERROR)  # designs that fail are part of it
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        n_by_way = survived(Path(folder), N_KILLS, assert_same, seed=1)
    ways = ", ".join(f"{n} by {way}" for way, n in n_by_way.items())
    print(f"{sum(n_by_way.values())} kills survived ({ways}) in {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
