"""Your own click log: declare its columns and search. Here the log is drawn first, so that the script runs anywhere.

python examples/own_csv.py [--rows 20000] [--trials 60] [--out runs/own-csv]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import polars as pl

import moco


def drawn_log(n_rows: int) -> pl.DataFrame:
    """An advertising log in which some shops suit some hours, and cheap things are clicked more."""
    rng = np.random.default_rng(0)
    shop, hour = rng.zipf(1.5, n_rows) % 50, rng.integers(0, 24, n_rows)
    price = rng.lognormal(2.0, 1.0, n_rows)
    logit = 1.5 * np.sin(shop + hour / 4) - 0.3 * np.log(price)
    return pl.DataFrame(
        {
            "clicked": (rng.random(n_rows) < 1 / (1 + np.exp(-logit))).astype(int),
            "shop": [f"shop-{number}" for number in shop],
            "hour": hour,
            "price": price.round(2),
        }
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000, help="rows of the drawn log")
    parser.add_argument("--trials", type=int, default=60, help="designs to score")
    parser.add_argument("--out", type=Path, default=Path("runs/own-csv"), help="folder for the files")
    given = parser.parse_args()

    given.out.mkdir(parents=True, exist_ok=True)
    log = given.out / "log.csv"
    drawn_log(given.rows).write_csv(log)

    schema = moco.TableSchema(label="clicked", categorical=("shop", "hour"), numeric=("price",))
    data = moco.load_dataset("table", log, schema=schema)
    print(data.describe())

    # A small log wants a small space: three blocks, narrow widths, and crossbars of two sizes.
    space = moco.codesign_space(
        data, n_blocks=3, dense_dims=(16, 32), sparse_dims=(4, 8), hardware={"crossbar_size": (32, 64)}
    )
    supernet = moco.train_supernet(data, space, settings=moco.TrainSettings(epochs=4))
    study = moco.create_study("own-csv", data, space, supernet, population_size=20)
    study.optimize(n_trials=given.trials)
    for design in study.front():
        print(f"supernet logloss {design.logloss:.4f}  {design.energy_pj:12,.0f} pJ  {design.latency_ns:9,.0f} ns")


if __name__ == "__main__":
    main()
