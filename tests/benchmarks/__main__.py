"""All benchmarks, one after another: `make bench`, or `python -m tests.benchmarks pimmodel studies` for some."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

FILES = {file.stem.removeprefix("bench_"): file for file in sorted(Path(__file__).parent.glob("bench_*.py"))}


def main() -> None:
    chosen = sys.argv[1:] or list(FILES)
    if unknown := [name for name in chosen if name not in FILES]:
        sys.exit(f"unknown benchmark {unknown[0]!r}; benchmarks are {', '.join(FILES)}")
    sys.argv = sys.argv[:1]
    for name in chosen:
        print(f"== {name}", flush=True)
        runpy.run_path(str(FILES[name]), run_name="__main__")


if __name__ == "__main__":
    main()
