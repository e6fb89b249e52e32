"""Which neurons to remove: a score for each, and all of a network in one ranking until its work has fallen enough."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from moco.pruning.cut import Kept, cut, unit_width
from moco.pruning.network import PrunedNetwork


def magnitudes(network: PrunedNetwork) -> dict[str, NDArray[np.float64]]:
    """Sum of the magnitudes of each unit's incoming weights, by layer, relative to the mean over the layer's units.

    Source of the sum: the L1 criterion of Li et al. (ICLR 2017, arXiv 1608.08710), NASRec's baseline too. Layers differ
    in the size and the number of their weights, so a sum counts relative to its own layer's. Neurons that read nothing,
    as where the data have no dense fields, give constants, which later biases can give as well: they count 0.
    """
    scores = {}
    for name, units in network.kept.items():
        weight = network.weights[f"{name}_weight"].detach().double()
        width = unit_width(name, network.cut.embedding_dim)
        sums = weight.abs().sum(dim=1).reshape(len(units), width).sum(dim=1).cpu().numpy()
        mean = sums.mean() if len(sums) else 0.0
        scores[name] = sums / mean if mean > 0 else np.zeros(len(units))
    return scores


def without_lowest(
    network: PrunedNetwork, scores: Mapping[str, NDArray[np.float64]], target_macs: float
) -> dict[str, tuple[int, ...]]:
    """Units kept when those of the lowest scores are removed, one by one, until at most target_macs are left.

    A unit stays when a layer would have no outputs without it, so the work may stay above the target. Of equal scores
    the first layer's first unit goes first.

    Args:
        network: Whose neurons.
        scores: Of each unit left, by layer.
        target_macs: Multiply-accumulates of one inference.
    """
    kept: Kept = network.kept
    n_sparse = len(network.embedding.cardinalities)
    ranking = sorted(
        (score, name, unit)
        for name, units in network.kept.items()
        for score, unit in zip(scores[name].tolist(), units, strict=True)
    )
    macs = network.cut.macs
    empty = {
        name for name, layer in network.cut.layers.items() if len(layer.outputs) == 0
    }  # as where no dense fields are
    for _, name, unit in ranking:
        if macs <= target_macs:
            break
        fewer = {**kept, name: tuple(one for one in kept[name] if one != unit)}
        left = cut(network.architecture, network.n_dense, n_sparse, fewer)
        if all(len(layer.outputs) > 0 or name in empty for name, layer in left.layers.items()):
            kept, macs = left.units, left.macs
    return dict(kept)
