"""Search recommender networks and processing-in-memory hardware together, and get the Pareto front.

import moco

data = moco.load_dataset("movielens-100k")
space = moco.codesign_space(data)
supernet = moco.train_supernet(data, space, seed=0)
study = moco.create_study("movielens", data, space, supernet, storage="movielens.db", max_area_mm2=100)
study.optimize(n_trials=5000)
for design in study.front():
    print(design.logloss, design.energy_pj, design.latency_ns)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from moco.chosen.retrained import retrained_networks
    from moco.costs.batch import design_costs
    from moco.costs.lowering import lower
    from moco.data import CtrDataset, DataError, TableSchema, dataset_from_frame, load_dataset
    from moco.design import Design, read_design
    from moco.export.folder import export_design
    from moco.export.metrics import TrainedSeed
    from moco.export.predict import read_export
    from moco.oracle.oracle import Oracle
    from moco.runs.settings import RunSettings, SearchSettings
    from moco.runs.stages import run
    from moco.search.codesign import CodesignStudy, codesign_space, create_study
    from moco.supernet import TrainSettings, load_supernet, train_supernet
    from moco.training.from_scratch import FinalSettings, train_from_scratch

_MODULES = {
    "moco.search.codesign": ("CodesignStudy", "codesign_space", "create_study"),
    "moco.data": ("CtrDataset", "DataError", "TableSchema", "dataset_from_frame", "load_dataset"),
    "moco.design": ("Design", "read_design"),
    "moco.costs.batch": ("design_costs",),
    "moco.export.folder": ("export_design",),
    "moco.export.metrics": ("TrainedSeed",),
    "moco.export.predict": ("read_export",),
    "moco.costs.lowering": ("lower",),
    "moco.oracle.oracle": ("Oracle",),
    "moco.training.from_scratch": ("FinalSettings", "train_from_scratch"),
    "moco.chosen.retrained": ("retrained_networks",),
    "moco.runs.settings": ("RunSettings", "SearchSettings"),
    "moco.runs.stages": ("run",),
    "moco.supernet": ("TrainSettings", "load_supernet", "train_supernet"),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "CodesignStudy",
    "CtrDataset",
    "DataError",
    "Design",
    "FinalSettings",
    "Oracle",
    "RunSettings",
    "SearchSettings",
    "TableSchema",
    "TrainSettings",
    "TrainedSeed",
    "codesign_space",
    "create_study",
    "dataset_from_frame",
    "design_costs",
    "export_design",
    "load_dataset",
    "load_supernet",
    "lower",
    "read_design",
    "read_export",
    "retrained_networks",
    "run",
    "train_from_scratch",
    "train_supernet",
]


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first used, so that reading data or a help text does not wait for torch."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'moco' has no attribute {name!r}")
    return getattr(import_module(_MODULE_OF[name]), name)
