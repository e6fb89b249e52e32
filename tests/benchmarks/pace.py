"""Does `moco.training.pace.training_time` know how long networks train?

Times some steps of designs that a run has scored, evenly over log MACs, and says how far the law is from them, beside
laws of multiply-accumulates alone and of what products put out alone, each at its best constant.

python -m tests.benchmarks.pace RUN [--designs 30]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from moco.data import ClickLog
from moco.runs.run import Run
from moco.training.from_scratch import train_from_scratch
from moco.training.pace import rows_per_s, training_time
from spaces import Architecture, ArchitectureBatch, products

N_ROWS = 100_000
"""Of each training."""


def us_a_row(data: ClickLog, network: Architecture) -> float:
    """Microseconds that training takes for one row."""
    return 1e6 / rows_per_s(lambda progress: train_from_scratch(data, network, progress=progress), N_ROWS)


def error(predicted: NDArray[np.float64], measured: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) logarithms of predicted over measured times, less their mean: no law knows the machine."""
    errors: NDArray[np.float64] = np.log(predicted / measured)
    return errors - errors.mean()


def best_line(figure: NDArray[np.int64], measured: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) times by one figure alone, with the constant that fits best."""
    lines = [1 + figure / scale for scale in np.geomspace(10, 1e6, 200)]
    return min(lines, key=lambda line: float(error(line, measured).std()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of a run with a search")
    parser.add_argument("--designs", type=int, default=30)
    given = parser.parse_args()
    this = Run.reopen(given.run)
    study = this.stored_study()
    designs = sorted(study.designs(study.study.trials()), key=lambda design: design.macs)
    log_macs = np.log1p([design.macs for design in designs])
    steps = np.linspace(log_macs[0], log_macs[-1], given.designs)
    chosen = [designs[row] for row in np.unique(np.abs(log_macs - steps[:, None]).argmin(axis=1))]
    networks, space = ArchitectureBatch.of([design.architecture for design in chosen]), this.space.network
    made = products(networks, space.n_dense, space.n_sparse)
    measured = np.array([us_a_row(this.whole_data, design.architecture) for design in chosen])
    for design, us in zip(chosen, measured, strict=True):
        print(f"{design.key[:8]} {design.macs:>9,} MACs {us:6.1f} us a row")
    laws = {
        "training_time": training_time(space, networks),
        "MACs alone": best_line(made.macs, measured),
        "outputs alone": best_line(made.n_outputs, measured),
    }
    for name, law in laws.items():
        errors = error(law, measured)
        print(
            f"{name:<14} is off by a factor of {np.exp(errors.std()):.2f}, at most {np.exp(np.abs(errors).max()):.2f}"
        )


if __name__ == "__main__":
    main()
