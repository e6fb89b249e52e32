"""The last layer fitted anew: logistic regression on cached features, near the head that was trained."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

RIDGE = 0.2
"""Weight of the penalty on the change of the head, in units of the features' mean variance."""

MAX_STEPS = 30
MIN_STEP = 1e-3
TOLERANCE = 1e-5
"""The fit ends when a step promises to lower the mean loss by less."""


def fitted_head(features: Tensor, labels: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Weight (n,) and bias () of the head that fits labels best, near the given one.

    Minimises the mean log loss plus RIDGE / 2 times the squared change of the weights times the features' mean
    variance. So a feature that hardly varies keeps its weight, and rounding the head to few bits does no harm. Steps
    are Newton's with the curvature of the start, halved until they lower the objective, which therefore never ends
    above the loss of the given head. That head is returned where features are too large to fit anything.

    Args:
        features: (n, N) inputs of the head, features first.
        labels: (N,) 0 or 1.
        weight: (n,) of the trained head.
        bias: () of the trained head.
    """
    n_rows = len(labels)
    mean = features.mean(dim=1)
    x = torch.cat([features - mean[:, None], features.new_ones(1, n_rows)])
    variance = x[:-1].square().mean().clamp_min(torch.finfo(x.dtype).tiny)
    first = torch.cat([weight, (bias + weight @ mean)[None]])
    ridge = (RIDGE * variance).repeat(len(first))
    ridge[-1] = 0.0

    def objective(head: Tensor, logits: Tensor) -> float:
        loss = functional.binary_cross_entropy_with_logits(logits, labels)
        return float(loss + 0.5 * (ridge * (head - first).square()).sum())

    head, logits = first, first @ x
    probability = torch.sigmoid(logits)
    weighted = x * (probability * (1 - probability)).sqrt()
    factor, n_bad = torch.linalg.cholesky_ex(weighted @ weighted.T / n_rows + torch.diag(ridge))
    if n_bad or not math.isfinite(float(first.sum())):  # features beyond what numbers can hold: nothing to fit
        return weight, bias
    value = objective(head, logits)
    for _ in range(MAX_STEPS):
        gradient = x @ (torch.sigmoid(logits) - labels) / n_rows + ridge * (head - first)
        step = torch.cholesky_solve(gradient[:, None], factor)[:, 0]
        if float(gradient @ step) < 2 * TOLERANCE:
            break
        change, size = step @ x, 1.0
        while (candidate_value := objective(head - size * step, logits - size * change)) >= value and size > MIN_STEP:
            size /= 2
        if candidate_value >= value:
            break
        head, logits, value = head - size * step, logits - size * change, candidate_value
    return head[:-1], head[-1] - head[:-1] @ mean
