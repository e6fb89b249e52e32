"""What sharing a study on PostgreSQL costs: trials a second of 1, 2 and 4 workers, with a function that costs nothing.

120 unordered blocks of 2 to 8 choices, 3 objectives, NSGA-II of population 100; server and workers on this machine,
the server without fsync. Beside it, a study in a file, which writes whole generations. Run it alone on a quiet machine:

    python -m tests.benchmarks shared
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from studies.shared.study import SharedStudy
from tests.benchmarks.bench_studies import N_BLOCKS, OBJECTIVES, SPACE, evaluate, study_times
from tests.postgresql import new_database, server, server_programs

N_TRIALS = 120
N_WORKERS = (1, 2, 4)


def work(url: str, n_trials: int) -> None:
    """One worker: says when it is ready, and begins when it is told to."""
    with SharedStudy(url, "bench", SPACE, OBJECTIVES) as study:
        print("ready", flush=True)
        sys.stdin.readline()
        study.optimize(evaluate, n_trials)


def shared_s(url: str, n_workers: int) -> float:
    """Seconds that workers take for all trials, without their start."""
    command = [sys.executable, "-m", "tests.benchmarks.bench_shared", url, str(N_TRIALS)]
    workers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(n_workers)
    ]
    for worker in workers:
        assert worker.stdout is not None
        worker.stdout.readline()
    started = time.perf_counter()
    for worker in workers:  # all of them begin before any is waited for
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    for worker in workers:
        worker.communicate()
    return time.perf_counter() - started


def main() -> None:
    if server_programs() is None:
        print("no PostgreSQL server is installed: apt-get install postgresql")
        return
    with server() as folder:
        for n_workers in N_WORKERS:
            seconds = shared_s(new_database(folder), n_workers)
            print(
                f"{n_workers} workers on PostgreSQL: {N_TRIALS / seconds:.1f} trials/s, "
                f"{seconds / N_TRIALS * n_workers * 1e3:.0f} ms a trial and worker ({N_BLOCKS} blocks)",
                flush=True,
            )
    with tempfile.TemporaryDirectory() as file_folder:
        ended, _ = study_times(Path(file_folder) / "study.db", 2000)
    print(f"a study in a file: {ended[-1] / 2:.2f} ms a trial")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        work(sys.argv[1], int(sys.argv[2]))
    else:
        main()
