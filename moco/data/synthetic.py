"""A click log drawn from a known model, so that the best attainable log loss is known.

The model, for a row with ids i_f of the categorical fields and standard normal z_d behind the dense ones:

    label ~ Bernoulli(p),  p = sigmoid(b + s_1 + s_2 + s_3)
    s_1 = sum_f w_f[i_f] + sum_d a_d z_d                                            first order
    s_2 = sum over planted pairs (f, g) of sum_k u[i_f]_k v[i_g]_k                  second order
    s_3 = sum over planted triples (f, g, h) of sum_k u[i_f]_k v[i_g]_k t[i_h]_k    third order

All weights and latent vectors are standard normal; each pair and triple has latent vectors of its own. Each of s_1,
s_2, s_3 is scaled to mean 0 and a deviation of 1, 1 and 0.7 over the rows; b sets the share of positive labels.
Cardinalities are spread evenly on a log scale from 3 to the largest, as in Criteo (4 to 10 million); the ids of a
field follow Zipf's law. A dense value is floor(exp(1 + z)), a count with a long tail.
"""

from itertools import combinations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from moco.data.dataset import CtrDataset
from moco.data.frames import frames_of
from moco.data.rows import DataError
from moco.data.schema import TableSchema
from moco.data.split import stratified_rows

_POSITIVE_SHARE = 0.256  # Criteo Kaggle
_ZIPF_EXPONENT = 1.05
_LATENT_DIM = 4
_ORDER_DEVIATIONS = (1.0, 1.0, 0.7)


def synthetic_dataset(
    *,
    n_rows: int = 200_000,
    n_fields: int = 10,
    n_dense: int = 4,
    max_cardinality: int = 10_000,
    interaction_order: int = 2,
    seed: int = 0,
) -> CtrDataset:
    """Draw a log from the planted model; the same arguments give the same log.

    The known best log loss is the mean entropy of p over the test rows. It is a bound: it knows the effect of each id
    and each dense value before rounding, also of ids too rare to learn.

    Args:
        n_rows: Rows of train, valid and test together, split 80/10/10.
        n_fields: Categorical fields.
        n_dense: Dense fields, may be 0.
        max_cardinality: Distinct values that the largest field can take; rare ones may not occur.
        interaction_order: 1 plants no interactions, 2 plants pairs, 3 pairs and triples; n_fields of each kind, or
            as many as there are.
        seed: Of the model and the rows.

    Raises:
        DataError: an argument is out of range.
    """
    for name, value, least, most in (
        ("n_rows", n_rows, 100, None),
        ("n_fields", n_fields, 1, None),
        ("n_dense", n_dense, 0, None),
        ("max_cardinality", max_cardinality, 3, 10**8),
        ("interaction_order", interaction_order, 1, 3),
    ):
        if not isinstance(value, int) or value < least or (most is not None and value > most):
            bounds = f"at least {least}" if most is None else f"from {least} to {most}"
            raise DataError(f"{name} must be a whole number {bounds}, got {value!r}")
    if interaction_order > n_fields:
        raise DataError(f"interaction_order {interaction_order} needs as many fields, got n_fields={n_fields}")
    rng = np.random.default_rng(seed)
    spread = np.geomspace(3, max_cardinality, n_fields)
    cardinalities = rng.permutation(np.rint(spread).astype(np.int64))
    ids = [_zipf_ids(rng, cardinality, n_rows) for cardinality in cardinalities]
    normals = rng.standard_normal((n_dense, n_rows))

    logits = np.zeros(n_rows)
    for order, deviation in enumerate(_ORDER_DEVIATIONS[:interaction_order], start=1):
        term = rng.standard_normal(n_dense) @ normals if order == 1 else np.zeros(n_rows)
        for fields in _planted(rng, n_fields, order):
            product = np.ones((n_rows, _LATENT_DIM if order > 1 else 1))
            for field in fields:
                product *= rng.standard_normal((cardinalities[field], product.shape[1]))[ids[field]]
            term += product.sum(axis=1)
        logits += deviation * (term - term.mean()) / term.std()
    logits += _intercept(logits)
    labels = (rng.random(n_rows) < _sigmoid(logits)).astype(np.float32)

    columns: dict[str, pl.Series] = {f"c{f}": pl.Series(field).cast(pl.String) for f, field in enumerate(ids)}
    columns |= {f"n{d}": pl.Series(np.floor(np.exp(1.0 + z))) for d, z in enumerate(normals)}
    schema = TableSchema(
        label="label",
        categorical=tuple(f"c{f}" for f in range(n_fields)),
        numeric=tuple(f"n{d}" for d in range(n_dense)),
    )
    rows = stratified_rows(labels, 0.1, 0.1, seed)
    return CtrDataset.from_frames(
        f"synthetic, order {interaction_order}, seed {seed}",
        schema,
        frames_of(pl.DataFrame({**columns, "label": labels}), rows),
        best_logloss=float(label_entropy(logits[rows.test]).mean()),
    )


def label_entropy(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Entropy in nats of labels that are 1 with probability sigmoid(logits): the least log loss one can expect."""
    entropy: NDArray[np.float64] = np.logaddexp(0.0, logits) - logits * _sigmoid(logits)
    return entropy


def _zipf_ids(rng: np.random.Generator, cardinality: int, n_rows: int) -> NDArray[np.int64]:
    """(n_rows,) ids below cardinality; id k has a probability in proportion to (k + 1) ** -exponent."""
    cumulative = np.cumsum(np.arange(1, cardinality + 1, dtype=np.float64) ** -_ZIPF_EXPONENT)
    ids: NDArray[np.int64] = np.searchsorted(cumulative, rng.random(n_rows) * cumulative[-1], side="right")
    return ids


def _planted(rng: np.random.Generator, n_fields: int, order: int) -> list[tuple[int, ...]]:
    """Every field alone, or n_fields of the pairs or triples (all of them where there are fewer)."""
    candidates = list(combinations(range(n_fields), order))
    chosen = rng.permutation(len(candidates))[:n_fields]
    return [candidates[i] for i in sorted(chosen)]


def _intercept(logits: NDArray[np.float64]) -> float:
    """The intercept at which the mean probability is the wanted share, by bisection."""
    low, high = -20.0, 20.0
    for _ in range(40):
        middle = (low + high) / 2
        if _sigmoid(logits + middle).mean() < _POSITIVE_SHARE:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    probability: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-logits))
    return probability
