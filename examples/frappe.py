"""Frappe, from the log to a table of searched networks and all baselines, in one resumable run.

Data, supernet, search and report; chosen designs trained with several seeds; the baselines trained by the same trainer;
and the comparison of both, which says with the noise over seeds who is ahead, and what each costs. Some hours on two
cores; --seeds 1 and --baseline DeepFM for a first look.

The log must not be passed on, so give the folder that holds train.csv, valid.csv and test.csv (plain or gzip):

python examples/frappe.py FOLDER [--seeds 3] [--baseline NAME ...] [--out runs/frappe]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import moco
from moco.baselines import HAND_MADE, recipes_of, train_baselines
from moco.compare.comparison import baselines_file, compare
from moco.compare.outputs import write_comparison
from moco.compare.page import tables_of
from moco.progress import progress_bar
from moco.report.tables import text_of
from moco.runs.run import Run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder with the three parts of the log")
    parser.add_argument("--trials", type=int, help="designs to score; the recipe's when left out")
    parser.add_argument("--epochs", type=int, help="epochs of supernet training; the recipe's when left out")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of every design and baseline")
    parser.add_argument("--baseline", action="append", help="one baseline; all hand-made ones when left out")
    parser.add_argument("--out", type=Path, default=Path("runs/frappe"), help="folder of the run")
    given = parser.parse_args()

    settings = moco.RunSettings(
        dataset="frappe", path=str(given.folder.resolve()), n_epochs=given.epochs, space="nasrec-full"
    )
    study = moco.run(given.out, settings, moco.SearchSettings(), n_trials=given.trials)
    run = Run.reopen(given.out)
    run.finals.retrain(run.finals.chosen(study), given.seeds)
    with progress_bar("baselines", "trainings") as bar:
        train_baselines(
            run.whole_data,
            recipes_of(run.whole_data, given.baseline or HAND_MADE),
            baselines_file(given.out),
            seeds=range(given.seeds),
            progress=bar.update,
        )
    comparison = compare(run, only="accuracy")
    page = write_comparison(comparison, given.out, "moco compare: frappe")
    print(text_of(tables_of(comparison)))
    print(f"table: {page}, report: {run.report(study)}")


if __name__ == "__main__":
    main()
