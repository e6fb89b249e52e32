"""How each baseline is made and trained, by the data set's name, else by its number of rows."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace

from moco.baselines.catalogue import find_baseline
from moco.baselines.deep import DeepStructure
from moco.baselines.hand_made import Structure
from moco.data import ClickLog
from moco.recipes import MANY_ROWS, penalty_for, recipe_for
from moco.settings import FinalSettings
from spaces import Architecture


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineRecipe:
    """One baseline for one data set.

    Attributes:
        network: What it computes.
        final: How it is trained.
    """

    network: Structure | Architecture
    final: FinalSettings

    @property
    def digest(self) -> str:
        """16 hexadecimal digits that change with any setting."""
        parts = [type(self.network).__name__, asdict(self.network), asdict(self.final)]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Fit:
    """What differs from baseline to baseline on one data set.

    Attributes:
        embedding_l2: As `FinalSettings.embedding_l2`.
        dropout: As `DeepStructure.dropout`.
        learning_rate: As `FinalSettings.learning_rate`.
        epochs: As `FinalSettings.epochs`; those of the data set when left out.
    """

    embedding_l2: float
    dropout: float = 0.0
    learning_rate: float = 1e-3
    epochs: int | None = None


FRAPPE_FINAL = FinalSettings(
    epochs=14, batch_size=1024, learning_rate=3e-3, embedding_l2=0.025, embedding_dropout=0.0, monitor="auc"
)
"""BARS stops by AUC as well."""

FRAPPE = {
    "LR": Fit(1e-5, learning_rate=5e-2),
    "FM": Fit(1e-5, learning_rate=1e-2),
    "DNN": Fit(0.025, 0.2, 3e-3),
    "Wide&Deep": Fit(0.025, 0.2, 3e-3),
    "DeepFM": Fit(0.025, 0.2, 3e-3),
    "DCNv2": Fit(0.025, 0.4, 3e-3),
    "xDeepFM": Fit(0.025, 0.2, 3e-3),
    "AutoInt+": Fit(0.05, 0.1, 3e-3),
    "DLRM": Fit(0.025, 0.2, 3e-3),
    "MaskNet": Fit(0.05, 0.1, 3e-3),
    "FinalMLP": Fit(0.05, 0.4, 3e-3, epochs=24),
}
"""Dropout is that of BARS (reczoo/BARS @5b5e61f) for Frappe_x1. Penalties are half of BARS's, whose lambda / 2 |E|^2
has the gradient lambda E of moco's: with the whole of them, a rate that falls by a cosine over so few epochs ends
before the embeddings have grown; FinalMLP takes all of it, and more epochs. DNN, Wide&Deep, xDeepFM and DLRM take those
of DeepFM. LR and FM have no layer that would undo a small scale of the embeddings, and so much smaller penalties."""

SMALL_FINAL = FinalSettings(
    epochs=16, batch_size=1024, learning_rate=3e-3, embedding_l2=0.01, embedding_dropout=0.0, average_share=0.1
)
SMALL = Fit(0.01, 0.3, 3e-3)
SMALL_OTHERS = {
    "LR": Fit(1e-4, learning_rate=1e-2),
    "FM": Fit(1e-4, learning_rate=1e-2),
    "FinalMLP": replace(SMALL, epochs=24),
}
"""LR and FM have no dropout and want small penalties here too; FinalMLP learns slowly here too."""

LARGE_FINAL = FinalSettings(
    epochs=1, batch_size=4096, learning_rate=1e-3, embedding_l2=0.0, embedding_dropout=0.0, average_share=0.0
)


def baseline_recipe(name: str, data: ClickLog) -> BaselineRecipe:
    """How a baseline is made and trained for a data set; NASRec's networks as other searched ones are.

    Raises:
        ValueError: There is no such baseline.
    """
    network = find_baseline(name).network
    if isinstance(network, Architecture):
        return BaselineRecipe(network=network, final=recipe_for(data).final)
    if data.name.lower().startswith("frappe"):
        return fitted(network, FRAPPE_FINAL, FRAPPE[name])
    if len(data.train) < MANY_ROWS:
        fit = SMALL_OTHERS.get(name, SMALL)
        penalty = penalty_for(len(data.train), fit.embedding_l2)
        return fitted(network, SMALL_FINAL, replace(fit, embedding_l2=penalty))
    return BaselineRecipe(network=network, final=LARGE_FINAL)


def fitted(network: Structure, final: FinalSettings, fit: Fit) -> BaselineRecipe:
    """A recipe with what differs put in; dropout where there is a deep part."""
    if isinstance(network, DeepStructure):
        network = replace(network, dropout=fit.dropout)
    epochs = final.epochs if fit.epochs is None else fit.epochs
    final = replace(final, embedding_l2=fit.embedding_l2, learning_rate=fit.learning_rate, epochs=epochs)
    return BaselineRecipe(network=network, final=final)
