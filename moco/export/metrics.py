"""How well the trainings of one design predict, seed by seed: what an export keeps of them."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from moco.pruning.network import PrunedNetwork
from moco.supernet.metrics import Score
from moco.supernet.network import Network

FORMAT = "moco metrics 1"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainedSeed:
    """One training of a design.

    Attributes:
        seed: Of the training.
        network: With the trained weights, on the CPU; whole, or of a round of pruning.
        valid: Score on valid rows in plain numbers.
        test: Score on test rows in plain numbers.
        chip_valid: Score on valid rows as the design's chip computes; None where it was not found.
        chip_test: The same on test rows.
    """

    seed: int
    network: Network | PrunedNetwork
    valid: Score
    test: Score
    chip_valid: Score | None = None
    chip_test: Score | None = None


def best_seed(trained: Sequence[TrainedSeed]) -> TrainedSeed:
    """The training with the lowest valid log loss, on the chip where that is known; test rows have no say.

    Raises:
        ValueError: There is no training, or one seed stands twice.
    """
    seeds = [one.seed for one in trained]
    if not trained or len(set(seeds)) != len(seeds):
        raise ValueError(f"trained must hold at least one training and each seed once, got seeds {seeds}")
    losses = {one.seed: (one.chip_valid or one.valid).logloss for one in trained}
    return min(trained, key=lambda one: (not math.isfinite(losses[one.seed]), losses[one.seed]))


def metrics_json(trained: Sequence[TrainedSeed]) -> str:
    """Scores of every seed, and which seed is exported, as JSON text."""
    seeds = [_scores(one) for one in trained]
    return json.dumps(
        {
            "format": FORMAT,
            "meaning": {
                "logloss": "mean binary cross-entropy in nats",
                "auc": "area under the ROC curve",
                "logloss_se": "standard error of logloss over the rows",
                "plain": "in floating point, weights rounded to the architecture's bits: what model.onnx computes",
                "on_chip": "as the design's chip computes, tables, activations and converters in its bits",
            },
            "exported_seed": best_seed(trained).seed,
            "seeds": seeds,
        },
        indent=1,
    )


def _scores(one: TrainedSeed) -> dict[str, Any]:
    return {
        "seed": one.seed,
        "plain": {"valid": _figures(one.valid), "test": _figures(one.test)},
        "on_chip": {"valid": _figures(one.chip_valid), "test": _figures(one.chip_test)},
    }


def _figures(score: Score | None) -> dict[str, float | None] | None:
    if score is None:
        return None
    return {name: value if math.isfinite(value) else None for name, value in asdict(score).items()}
