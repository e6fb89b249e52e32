"""The work that a pruned network is for a chip: the whole network's graph with the sizes that are left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from moco.costs.lowering import lower
from moco.pruning.cut import Cut, LayerCut
from moco.pruning.network import PrunedNetwork
from pimmodel import Calibration, Kind, PimConfig, Workload, estimate
from spaces.architecture import ATTENTION_HEADS, ArchitectureBatch


def pruned_workload(network: PrunedNetwork) -> Workload:
    """One inference, B = 1: matrix products of exactly the shapes that the network computes, and element-wise work on
    what is left."""
    whole = lower(ArchitectureBatch.of([network.architecture]), network.n_dense, network.embedding.cardinalities)
    in_features, out_features, n_vectors = (
        getattr(whole, name).copy() for name in ("in_features", "out_features", "n_vectors")
    )
    for column in np.flatnonzero(whole.n_vectors[0] > 0):
        name = whole.names[column].replace(".", "_")
        if whole.kinds[column] is Kind.ELEMENTWISE:
            out_features[0, column] = _n_elements(name, network)
        elif whole.kinds[column] is not Kind.LOOKUP:
            shape = _product_shape(name, network.cut)
            n_vectors[0, column], in_features[0, column], out_features[0, column] = shape
        if out_features[0, column] == 0 or (in_features[0, column] == 0 and whole.kinds[column] is Kind.MVM):
            n_vectors[0, column] = 0  # a layer on nothing is its bias alone
    return replace(whole, in_features=in_features, out_features=out_features, n_vectors=n_vectors)


def stuck_operators(
    before: Workload, after: Workload, chip: PimConfig, calibration: str | Calibration, n_most: int = 3
) -> list[str]:
    """A sentence for each operator whose energy fell much less than its products did, those of the most energy first.

    Crossbars come whole, a row tile is driven and converted as a whole, and an embedding is read as before.
    """
    energy_pj = [estimate(one, chip, calibration).energy_by_operator_pj[0] for one in (before, after)]
    is_matrix = np.array([kind in (Kind.MVM, Kind.PRODUCT) for kind in before.kinds])
    work = [(one.in_features * one.out_features * one.n_vectors)[0] for one in (before, after)]
    found = []
    for place in np.flatnonzero(is_matrix & (work[1] > 0)):
        macs_left, energy_left = work[1][place] / work[0][place], energy_pj[1][place] / energy_pj[0][place]
        if 1 - energy_left < 0.5 * (1 - macs_left):
            rows = [-(-int(one.in_features[0, place]) // int(chip.crossbar_size)) for one in (before, after)]
            sentence = (
                f"{before.names[place]}: {macs_left:.0%} of its products are left and {energy_left:.0%} of its energy "
                f"({energy_pj[1][place]:,.0f} pJ; inputs on {rows[1]} of {rows[0]} row tiles)"
            )
            found.append((energy_pj[1][place], sentence))
    return [sentence for _, sentence in sorted(found, reverse=True)[:n_most]]


def _product_shape(name: str, cut: Cut) -> tuple[int, int, int]:
    """Vectors, inputs and outputs of a product, by its name in the workload."""
    if name.endswith(("_attention_scores", "_attention_context")):
        n_rows = len(cut.layers[f"{name.rpartition('_')[0]}_rows"].outputs)  # all heads together
        inner = (cut.embedding_dim, n_rows) if name.endswith("scores") else (n_rows, cut.embedding_dim)
        return n_rows, *inner
    if name in cut.products:
        return cut.products[name]
    layer = _layer(name, cut)
    return layer.n_vectors, len(layer.inputs), len(layer.outputs)


def _layer(name: str, cut: Cut) -> LayerCut:
    if name.endswith("_resize"):
        number = name.removesuffix("_resize")
        return next(cut.layers[one] for one in (f"{number}_gate_resize", f"{number}_sum_resize") if one in cut.layers)
    return cut.layers[name]


def _n_elements(name: str, network: PrunedNetwork) -> int:
    """Results of element-wise work, by its name in the workload, in the conventions of `moco.costs.lowering`."""
    if name == "head_sigmoid":
        return 1
    number, _, function = name.partition("_")
    node, cut = int(number[1:]), network.cut
    width = cut.embedding_dim

    def left(layer: str) -> int:
        return len(cut.layers[f"{number}_{layer}"].outputs)

    def rows() -> int:
        return left("efc" if f"{number}_efc" in cut.layers else "attention_rows")

    if function == "sum_add":
        resize = cut.layers.get(f"{number}_sum_resize")
        return len(cut.dense_operator[node]) if resize is None else len(resize.inputs)
    if function == "fm_add":
        pooled = cut.layers.get(f"{number}_fm")
        added = np.arange(width) if pooled is None else pooled.outputs
        return len(np.intersect1d(added, cut.dense_operator[node]))
    counts: dict[str, Callable[[], int]] = {
        "fc_relu": lambda: left("fc"),
        "gate_sigmoid": lambda: left("gate"),
        "gate_multiply": lambda: left("gate"),
        "efc_relu": lambda: rows() * width,
        "attention_softmax": lambda: ATTENTION_HEADS * rows() ** 2,
        "attention_relu": lambda: rows() * left("attention_ffn1"),
        "fm_square": lambda: (rows() + 1) * width if rows() > 1 else 0,  # of one row, the pairs are none
        "fm_sum": lambda: 2 * rows() * width if rows() > 1 else 0,
    }
    return counts[function]() if function in counts else rows() * width
