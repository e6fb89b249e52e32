"""The supernet: every network of a space in one set of shared weights, and networks cut out of it. torch."""

from moco.settings import STRATEGIES, FinalSettings, TrainSettings
from moco.supernet.checkpoint import CheckpointError, Round, TrainedSupernet, load_supernet
from moco.supernet.loop import TrainProgress
from moco.supernet.network import Network, Supernet
from moco.supernet.train import train_supernet

__all__ = [
    "STRATEGIES",
    "CheckpointError",
    "FinalSettings",
    "Network",
    "Round",
    "Supernet",
    "TrainProgress",
    "TrainSettings",
    "TrainedSupernet",
    "load_supernet",
    "train_supernet",
]
