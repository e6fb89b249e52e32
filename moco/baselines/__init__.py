"""Hand-made CTR networks to compare with, trained, put on chips and costed as searched ones are."""

from moco.baselines.catalogue import BASELINES, HAND_MADE, Baseline, find_baseline
from moco.baselines.costs import BaselineCosts, baseline_costs, baseline_workload
from moco.baselines.hand_made import HandMade, Structure
from moco.baselines.results import BaselineResult, read_results
from moco.baselines.train import recipes_of, train_baseline, train_baselines

__all__ = [
    "BASELINES",
    "HAND_MADE",
    "Baseline",
    "BaselineCosts",
    "BaselineResult",
    "HandMade",
    "Structure",
    "baseline_costs",
    "baseline_workload",
    "find_baseline",
    "read_results",
    "recipes_of",
    "train_baseline",
    "train_baselines",
]
