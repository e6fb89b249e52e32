"""A few steps on a network's own copy of its shared layers, before it is scored.

Shared layers are a compromise between all networks that use them, and favour some operators over others. A few steps
of gradient descent on the network alone undo much of that: the order of networks agrees far better with that of
training from scratch (BENCHMARKS.md, rank fidelity), as much as after training all of it on as many rows. Embeddings
stay as they are, so rows are embedded once for all networks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from moco.supernet.forward import Forward, Inputs, Path, Weights
from moco.supernet.numerics import FLOAT_BITS, Linear, fake_quantise

BATCH_SIZE = 256
LEARNING_RATE = 5e-3
"""Of Adam at first; it falls by a cosine. Four times as much makes some networks worse, half of it orders them less."""


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """The rows of one step.

    Attributes:
        dense: (D, N) dense fields.
        rows: (F, E, N) embedded categorical fields.
        labels: (N,) 0 or 1.
    """

    dense: Tensor
    rows: Tensor
    labels: Tensor


class OwnLayers:
    """One network's layers, each a copy of its share of other weights, made when it is first asked for.

    Args:
        shared: What is copied.
    """

    def __init__(self, shared: Weights) -> None:
        self._shared = shared
        self._layers: dict[str, Linear] = {}

    @property
    def parameters(self) -> list[Tensor]:
        """Of all layers asked for so far."""
        return [parameter for layer in self._layers.values() for parameter in layer]

    def linear(self, name: str, inputs: Inputs, n_out: int, bits: int) -> Linear:
        """See `Weights`."""
        if name not in self._layers:
            self._layers[name] = _copy(self._shared.linear(name, inputs, n_out, FLOAT_BITS))
        weight, bias = self._layers[name]
        return fake_quantise(weight, bits), bias

    def norm(self, name: str) -> Linear:
        """See `Weights`."""
        if name not in self._layers:
            self._layers[name] = _copy(self._shared.norm(name))
        return self._layers[name]


@torch.enable_grad()
def fine_tuned(shared: Weights, path: Path, lessons: Sequence[Lesson]) -> Weights:
    """Layers of a path's own, after one step of Adam for each lesson; the shared ones where there is no lesson, or a
    loss is not finite.

    Weights are rounded to the path's bits in every step, with a straight-through gradient.
    """
    if not lessons:
        return shared
    own = OwnLayers(shared)
    optimiser: torch.optim.Optimizer | None = None
    for step, lesson in enumerate(lessons):
        logits = Forward(path, own, lesson.dense, lesson.rows).logits()
        loss = functional.binary_cross_entropy_with_logits(logits, lesson.labels)
        if not math.isfinite(loss.item()):
            return shared
        if optimiser is None:  # now every layer has been asked for
            optimiser = torch.optim.Adam(own.parameters, lr=LEARNING_RATE, fused=True)
        optimiser.param_groups[0]["lr"] = LEARNING_RATE * (1 + math.cos(math.pi * step / len(lessons))) / 2
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
    return own


def _copy(layer: Linear) -> Linear:
    weight, bias = (parameter.detach().clone().requires_grad_() for parameter in layer)
    return weight, bias
