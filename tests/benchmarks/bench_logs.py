"""Criteo's raw format to the stored form: rows/s, peak memory, and the same file through plain csv readers.

The file is generated: 460,000 rows, a hundredth of Criteo Kaggle, or as many as the argument says. Each job runs in a
process of its own, whose memory is measured. polars and pandas only read: they neither check lines nor split, count,
encode or write; they hold a file whole, so that they sit out above 10 million rows. FuxiCTR encodes, in one part, from
a csv with a header that is made before its time counts; it needs an environment of its own (`pip install
fuxictr==2.3.10 polars==1.33.1 pyarrow`), whose Python FUXICTR_PYTHON names. Run it alone on a quiet machine:

    [FUXICTR_PYTHON=.../bin/python] python tests/benchmarks/bench_logs.py [ROWS]
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from moco.data.logs import StoredLog, generate_log

N_ROWS = 460_000
CRITEO_ROWS = 45_840_617
LEAST_ROWS_PER_S = 250_000
MOST_PEAK_MB = 2_500  # what moco.data.logs.prepare promises for all of Criteo
MOST_ROWS_HELD = 10_000_000
BATCH_SIZES = (512, 4096)

MEASURED = """
import json, resource, sys, time
def usage():
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))  # ru_maxrss would count the parent's
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime, int(status["VmHWM"].split()[0]) * 1024 / 1e6
path, folder = sys.argv[1:]
{imports}
cpu_s, idle_mb = usage()
started = time.perf_counter()
{job}
seconds = time.perf_counter() - started
print(json.dumps([seconds, usage()[0] - cpu_s, usage()[1], idle_mb]))
"""
PREPARE = "from moco.data.logs import LogOptions, prepare_log"
JOBS = {
    "stored, vocabulary": (PREPARE, "prepare_log('criteo', path, folder)"),
    "stored, authors": (PREPARE, "prepare_log('criteo', path, folder, LogOptions(encoding='authors'))"),
    "polars, read only": (
        "import polars",
        "polars.read_csv(path, separator='\\t', has_header=False, infer_schema_length=10_000)",
    ),
    "pandas, read only": ("import pandas", "pandas.read_csv(path, sep='\\t', header=None)"),
}

FUXICTR = (
    "import os; from fuxictr.preprocess import FeatureProcessor, build_dataset\n"
    "numbers, values = [f'I{i}' for i in range(1, 14)], [f'C{i}' for i in range(1, 27)]\n"
    "os.makedirs(folder)\n"
    "with open(path) as raw, open(f'{folder}/train.csv', 'w') as table:\n"
    "    table.write('\\t'.join(['label', *numbers, *values]) + '\\n')\n"
    "    table.writelines(raw)",
    "number = {'name': numbers, 'active': True, 'dtype': 'float', 'type': 'numeric', 'fill_na': 0}\n"
    "value = {'name': values, 'active': True, 'dtype': 'str', 'type': 'categorical', 'fill_na': ''}\n"
    "label = {'name': 'label', 'dtype': 'float'}\n"
    "processor = FeatureProcessor([number, value], label, dataset_id='log', data_root=folder)\n"
    "build_dataset(processor, train_data=f'{folder}/train.csv', data_format='csv', sep='\\t', min_categr_count=2)",
)

LARGEST_VOCABULARY = (
    "import numpy; from moco.data.logs.keys import KeyTable, counted",
    # 36.7 million train rows of 10.1 million values (NASRec's size of C3), drawn evenly.
    "rng = numpy.random.default_rng(0)\n"
    "keys = counted((rng.integers(0, 10_131_226, 33_000, dtype=numpy.uint32) for _ in range(1111)), 1)\n"
    "KeyTable(keys)\n"
    "assert keys.size > 9_800_000",
)


def measured(imports: str, job: str, path: Path, folder: Path, python: str = sys.executable) -> list[float]:
    """Seconds, seconds of processor time, peak memory in MB and memory before the job, in a process of its own."""
    code = MEASURED.format(imports=imports, job=job)
    done = subprocess.run([python, "-c", code, str(path), str(folder)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    figures: list[float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def gather_ms(log: StoredLog, batch_size: int) -> float:
    """Milliseconds to read a batch of train rows in random order, with the file in the page cache."""
    rng = np.random.default_rng(0)
    part = log.part("train")
    batches = [rng.integers(0, len(part), batch_size) for _ in range(100)]
    for batch in batches[:10]:
        part.rows(batch)
    started = time.perf_counter()
    for batch in batches:
        part.rows(batch)
    return (time.perf_counter() - started) / len(batches) * 1e3


def main() -> None:
    n_rows = int(sys.argv[1]) if len(sys.argv) > 1 else N_ROWS
    with tempfile.TemporaryDirectory() as temporary:
        path, folder = Path(temporary) / "train.txt", Path(temporary) / "log"
        generate_log("criteo", path, n_rows)
        print(f"{n_rows:,} rows, {path.stat().st_size / 1e6:,.0f} MB of text")
        first_s = 0.0
        for name, (imports, job) in JOBS.items():
            if name.endswith("read only") and n_rows > MOST_ROWS_HELD:
                continue
            if importlib.util.find_spec(imports.split()[1].partition(".")[0]) is None:
                print(f"{name:<20}not installed")
                continue
            seconds, cpu_s, peak_mb, idle_mb = measured(imports, job, path, folder)
            first_s = first_s or seconds
            print(
                f"{name:<20}{seconds:8.2f} s {n_rows / seconds:>11,.0f} rows/s  {cpu_s:7.2f} s of processor  "
                f"peak {peak_mb:6,.0f} MB, {idle_mb:4,.0f} of it imports  time of stored / this {first_s / seconds:.2f}"
            )
            if name == "stored, vocabulary" and n_rows / seconds < LEAST_ROWS_PER_S:
                print(f"  below {LEAST_ROWS_PER_S:,} rows/s")
            if name.startswith("stored") and n_rows <= CRITEO_ROWS and peak_mb > MOST_PEAK_MB:
                print(f"  above {MOST_PEAK_MB:,} MB")
        if "FUXICTR_PYTHON" in os.environ:
            seconds, _, peak_mb, _ = measured(*FUXICTR, path, folder.parent / "fuxictr", os.environ["FUXICTR_PYTHON"])
            print(
                f"{'FuxiCTR':<20}{seconds:8.2f} s {n_rows / seconds:>11,.0f} rows/s  peak {peak_mb:,.0f} MB and Ray's "
                f"processes  time of stored / this {first_s / seconds:.2f}"
            )
        started = time.perf_counter()
        log = StoredLog.open(folder)
        opened_ms = (time.perf_counter() - started) * 1e3
        n_bytes = sum(file.stat().st_size for file in folder.iterdir())
        print(f"stored form          {n_bytes / n_rows:6.1f} bytes a row, opens in {opened_ms:.1f} ms")
        for batch_size in BATCH_SIZES:
            milliseconds = gather_ms(log, batch_size)
            print(
                f"random batch {batch_size:>5}  {milliseconds:8.3f} ms {batch_size / milliseconds * 1e3:>10,.0f} rows/s"
            )
        seconds, _, peak_mb, idle_mb = measured(*LARGEST_VOCABULARY, path, folder)
        print(f"C3's vocabulary at full size: {seconds:.1f} s, peak {peak_mb:,.0f} MB, {idle_mb:,.0f} of it imports")


if __name__ == "__main__":
    main()
