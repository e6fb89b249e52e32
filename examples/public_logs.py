"""What the examples of public logs share: the whole way, and the paper's results beside one's own."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import moco
from moco.chosen.trained import read_from_scratch

FIRST_TRY_TRIALS = 100
SEARCH_TABLE_ROWS = 500_000  # of each field, as the authors search; the final training has full tables


@dataclass(frozen=True, slots=True)
class Published:
    """A published network and its test results.

    Attributes:
        name: Of the network.
        logloss: On test.
        auc: On test.
        million_macs: Multiply-accumulates of an inference.
    """

    name: str
    logloss: float
    auc: float
    million_macs: float


def main(description: str | None, dataset: str, published: Sequence[Published], remark: str) -> None:
    """Parses the command line and goes the whole way: data, supernet, search, training from scratch, report."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path, help="the raw file, plain, .gz or .zst, or the folder that holds it")
    parser.add_argument(
        "--rows", type=int, help=f"a first try on so many rows, with {FIRST_TRY_TRIALS} designs; all rows when left out"
    )
    parser.add_argument("--search-rows", type=int, help="rows that supernet and search see; all when left out")
    parser.add_argument(
        "--encoding",
        choices=("authors", "vocabulary"),
        default="authors",
        help="authors: the paper's hashed indices; vocabulary: no collisions, nothing that leaks the label",
    )
    parser.add_argument("--trials", type=int, help="designs to score; the authors' 2,048 when left out")
    parser.add_argument("--out", type=Path, default=Path("runs") / dataset, help="folder of the run")
    given = parser.parse_args()

    options = {"encoding": given.encoding, "max_table_rows": SEARCH_TABLE_ROWS}
    if given.rows is not None:
        options["n_rows"] = given.rows
    trials = given.trials or (FIRST_TRY_TRIALS if given.rows else None)
    try:
        settings = moco.RunSettings(
            dataset=dataset,
            path=str(given.path.expanduser().resolve()),
            options=options,
            search_rows=given.search_rows,
            space="nasrec-full",
        )
        study = moco.run(given.out, settings, moco.SearchSettings(), n_trials=trials)
    except (ValueError, OSError) as error:
        parser.error(str(error))

    macs = {design.key: design.macs for design in study.front()}
    print(f"\n{'test results':<40}{'log loss':>9}{'AUC':>8}{'million MACs':>14}")
    results = read_from_scratch(given.out / "from_scratch.json")
    for result in sorted(results, key=lambda result: list(macs).index(result.key)):
        name = f"here, {result.role}, seed {result.seed}"
        print(f"{name:<40}{result.test_logloss:>9.4f}{result.test_auc:>8.4f}{macs[result.key] / 1e6:>14.2f}")
    for network in published:
        print(f"{network.name:<40}{network.logloss:>9.4f}{network.auc:>8.4f}{network.million_macs:>14.2f}")
    print("Published on the whole log: NASRec's public code (arXiv 2207.07187), the authors' encoding and split.")
    print(remark)
    print(f"report: {given.out / 'report.html'}")
