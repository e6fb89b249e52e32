"""Structured pruning of a trained design: whole neurons go, the network gets smaller, and its chip's costs with it.

Source of the idea: the public code of NASRec's authors, who prune searched networks before they map them on crossbars.
"""

from moco.pruning.curve import PrunedRound, PruningCurve, curve_csv, curve_table
from moco.pruning.cut import Cut, LayerCut, cut
from moco.pruning.found import FoundRound, found_rounds
from moco.pruning.gates import GatedNetwork, GateSettings, learned_gates
from moco.pruning.network import PrunedNetwork, pruned
from moco.pruning.rounds import CRITERIA, WAYS, PruningSettings, PruningStart, prune, round_file
from moco.pruning.stored import StoredRound, read_round
from moco.pruning.work import pruned_workload

__all__ = [
    "CRITERIA",
    "WAYS",
    "Cut",
    "FoundRound",
    "GateSettings",
    "GatedNetwork",
    "LayerCut",
    "PrunedNetwork",
    "PrunedRound",
    "PruningCurve",
    "PruningSettings",
    "PruningStart",
    "StoredRound",
    "curve_csv",
    "curve_table",
    "cut",
    "found_rounds",
    "learned_gates",
    "prune",
    "pruned",
    "pruned_workload",
    "read_round",
    "round_file",
]
