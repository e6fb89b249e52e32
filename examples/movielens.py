"""Which network and which chip suit MovieLens-100k together? The Python face, step by step.

python examples/movielens.py [--trials 1000] [--epochs N] [--out runs/movielens-example]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import moco


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--path", help="folder with the raw files; fetched when left out")
    parser.add_argument("--trials", type=int, default=1000, help="designs to score")
    parser.add_argument("--epochs", type=int, help="epochs of supernet training; the recipe's when left out")
    parser.add_argument("--out", type=Path, default=Path("runs/movielens-example"), help="folder for the files")
    given = parser.parse_args()

    data = moco.load_dataset("movielens-100k", given.path)
    print(data.describe())

    space = moco.codesign_space(data)
    print(f"{space.name}: {float(space.cardinality):.2g} designs")

    settings = None if given.epochs is None else moco.TrainSettings(epochs=given.epochs)
    supernet = moco.train_supernet(data, space, settings=settings, checkpoint=given.out / "supernet.safetensors")
    study = moco.create_study("movielens", data, space, supernet, storage=given.out / "study.db", max_area_mm2=50)
    study.optimize(n_trials=given.trials)

    print("log loss and AUC as the supernet scores them; training from scratch gives other figures")
    for design in study.front():
        print(
            f"logloss {design.logloss:.4f}  auc {design.auc:.4f}  {design.energy_pj / 1e3:9.1f} nJ"
            f"  {design.latency_ns / 1e3:7.1f} us  {design.area_mm2:6.2f} mm2"
        )


if __name__ == "__main__":
    main()
