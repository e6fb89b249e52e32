"""Frappe, all stages in one resumable run: data, supernet, search, training from scratch, report.

The log must not be passed on, so give the folder that holds train.csv, valid.csv and test.csv (plain or gzip):

python examples/frappe.py FOLDER [--trials 2000] [--out runs/frappe]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import moco


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder with the three parts of the log")
    parser.add_argument("--trials", type=int, help="designs to score; the recipe's when left out")
    parser.add_argument("--epochs", type=int, help="epochs of supernet training; the recipe's when left out")
    parser.add_argument("--out", type=Path, default=Path("runs/frappe"), help="folder of the run")
    given = parser.parse_args()

    study = moco.run(
        given.out,
        moco.RunSettings(dataset="frappe", path=str(given.folder.resolve()), n_epochs=given.epochs),
        moco.SearchSettings(),
        n_trials=given.trials,
    )
    best = study.front()[0]
    print(f"lowest supernet log loss: {best.logloss:.4f} at {best.energy_pj:,.0f} pJ and {best.latency_ns:,.0f} ns")
    print(f"report: {given.out / 'report.html'}")


if __name__ == "__main__":
    main()
