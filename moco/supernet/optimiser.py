"""The optimiser of every training: Adam or Adagrad, and row-wise Adagrad for tables too large to touch in each step."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from moco.settings import LoopSettings
from moco.supernet.embedding import SPARSE_TABLE_ROWS
from moco.supernet.ranks import Ranks


class RowwiseAdagrad(torch.optim.Optimizer):
    """Adagrad with one accumulator a row, for a table whose gradient is sparse.

    The gradients of a row that a batch holds several times are added first. The accumulator grows by the mean of their
    squares over the row. A step costs what its rows cost, however long the table is.

    Source: "exact row-wise Adagrad" of FBGEMM and TorchRec (Ivchenko et al., RecSys 2022, doi:10.1145/3523227.3547387).

    Args:
        table: (rows, E).
        lr: Learning rate.
        eps: Added to the root of the accumulator.
        l2: Penalty on the rows of the batch.
    """

    def __init__(self, table: nn.Parameter, lr: float, eps: float, l2: float = 0.0) -> None:
        super().__init__([table], {"lr": lr, "eps": eps, "l2": l2})
        self.state[table]["sum"] = torch.zeros(len(table), device=table.device)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One update of the rows that the gradient names."""
        for group in self.param_groups:
            for table in group["params"]:
                if table.grad is None:
                    continue
                rows, place = torch.unique(table.grad._indices()[0], return_inverse=True)
                gradient = table.new_zeros(len(rows), table.shape[1])
                gradient.index_add_(0, place, table.grad._values())
                if group["l2"]:
                    gradient.add_(table[rows], alpha=group["l2"])
                total = self.state[table]["sum"]
                accumulated = total[rows] + gradient.square().mean(dim=1)
                total[rows] = accumulated
                size = -group["lr"] / (accumulated.sqrt() + group["eps"])
                table.index_add_(0, rows, gradient * size[:, None])


class Optimiser:
    """An embedding table and all other weights of a network, with clipping, a warm-up and a cosine decay over n_steps.

    Weights without a gradient, of parts that a step did not compute, stay as they are. Of a table so large that its
    gradient is sparse, each step updates and penalises the rows of the batch only, and does not clip them.

    Args:
        table: (rows, E).
        others: All other weights.
        settings: Of the training.
        n_steps: Of the whole training, over which the rate falls.
        ranks: The processes that share the training; the gradient of the table is summed over them here, that of the
            others by DistributedDataParallel.
    """

    def __init__(
        self,
        table: nn.Parameter,
        others: list[nn.Parameter],
        settings: LoopSettings,
        n_steps: int,
        ranks: Ranks | None = None,
    ) -> None:
        self._table, self._others = table, others
        self._settings = settings
        self._n_steps = n_steps
        self._ranks = ranks or Ranks()
        self._has_sparse_table = len(table) > SPARSE_TABLE_ROWS
        groups: list[dict[str, Any]] = [{"params": others}]
        if not self._has_sparse_table:
            groups.insert(0, {"params": [table], "weight_decay": settings.embedding_l2})
        rate, eps = settings.learning_rate, settings.adagrad_eps
        self._optimisers: list[torch.optim.Optimizer] = [
            torch.optim.Adam(groups, lr=rate, fused=True)
            if settings.optimiser == "adam"
            else torch.optim.Adagrad(groups, lr=rate, eps=eps, fused=table.device.type == "cpu")
        ]
        if self._has_sparse_table:
            self._optimisers.insert(0, RowwiseAdagrad(table, settings.table_learning_rate, eps, settings.embedding_l2))
        self._rates = [optimiser.param_groups[0]["lr"] for optimiser in self._optimisers]

    def step(self, loss: Tensor, step: int) -> None:
        """One update; `step` counts from 0, and below 0 for steps at the full rate.

        Raises:
            FloatingPointError: The loss is not finite.
        """
        if not math.isfinite(loss.item()):
            raise FloatingPointError(
                f"training diverged: the loss of step {step} is {loss.item()}; take a lower learning_rate than "
                f"{self._settings.learning_rate} or a lower clip_norm than {self._settings.clip_norm}"
            )
        for optimiser in self._optimisers:
            optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        self._ranks.average_gradient(self._table)
        clipped = self._others if self._has_sparse_table else [self._table, *self._others]
        nn.utils.clip_grad_norm_(clipped, self._settings.clip_norm)
        for optimiser, rate in zip(self._optimisers, self._rates, strict=True):
            for group in optimiser.param_groups:
                group["lr"] = rate * self.rate_share(step)
            optimiser.step()

    def rate_share(self, step: int) -> float:
        """The learning rate of a step as a share of the highest one."""
        n_warm_up = self._settings.warm_up_share * self._n_steps
        if 0 <= step < n_warm_up:
            return (step + 1) / n_warm_up
        share_done = (max(step, 0) - n_warm_up) / (self._n_steps - n_warm_up)
        return 0.5 * (1 + math.cos(math.pi * max(share_done, 0.0)))

    def state(self) -> dict[str, Tensor]:
        """Moments and step counts, as "<optimiser>.<parameter>.<name>"."""
        return {
            f"{index}.{number}.{name}": torch.as_tensor(value)
            for index, optimiser in enumerate(self._optimisers)
            for number, moments in optimiser.state_dict()["state"].items()
            for name, value in moments.items()
        }

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Takes up what `state` gave."""
        moments: list[dict[int, dict[str, Any]]] = [{} for _ in self._optimisers]
        for key, value in state.items():
            index, number, name = key.split(".")
            moments[int(index)].setdefault(int(number), {})[name] = value
        for optimiser, saved in zip(self._optimisers, moments, strict=True):
            optimiser.load_state_dict({"state": saved, "param_groups": optimiser.state_dict()["param_groups"]})
