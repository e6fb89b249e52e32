"""A network in a few numbers: what it is made of and how large it is, for models and controls that read no weights."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spaces import ArchitectureBatch, liveness, products
from spaces.architecture import DENSE_OPERATORS, SPARSE_OPERATORS

FEATURES = (
    "log_macs",
    "log_parameters",
    "n_live_blocks",
    *(f"n_{operator}" for operator in (*DENSE_OPERATORS, *SPARSE_OPERATORS)),
    "n_fm",
    "n_dense_to_sparse",
    "log_dense_width",
    "log_rows",
    "weight_bits",
)
"""Widths, rows and weight bits are means over the live parts."""


def network_features(networks: ArchitectureBatch, n_dense: int, n_sparse: int) -> NDArray[np.float64]:
    """(B, len(FEATURES)) features of B networks for data of n_dense dense and n_sparse categorical fields."""
    live = liveness(networks)
    made = products(networks, n_dense, n_sparse, live)
    counts = [
        (live.dense_operator & (networks.dense_operator == code)).sum(axis=1) for code in range(len(DENSE_OPERATORS))
    ] + [
        (live.sparse_operator & (networks.sparse_operator == code)).sum(axis=1) for code in range(len(SPARSE_OPERATORS))
    ]
    is_operator = np.concatenate([live.dense_operator, live.sparse_operator], axis=1)
    bits = np.concatenate([networks.dense_bits, networks.sparse_bits], axis=1)
    return np.column_stack(
        [
            np.log1p(made.macs),
            np.log1p(made.n_parameters),
            live.block.sum(axis=1),
            *counts,
            live.fm.sum(axis=1),
            live.dense_to_sparse.sum(axis=1),
            _mean(np.log(networks.dense_dim), live.dense_operator),
            _mean(np.log(networks.sparse_dim), live.sparse_operator),
            _mean(bits, is_operator),
        ]
    ).astype(np.float64)


def _mean(values: NDArray[np.float64], is_counted: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(B,) mean of the counted values of each row; 0 where there are none."""
    mean: NDArray[np.float64] = (values * is_counted).sum(axis=1) / np.maximum(is_counted.sum(axis=1), 1)
    return mean
