"""Averages of weights over the last steps of a training, which predict better than the last weights do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

Module = TypeVar("Module", bound=nn.Module)


class Averaged(Generic[Module]):
    """A module, and the exponential moving average of its weights.

    Source: Polyak and Juditsky (1992, doi:10.1137/0330046); as torch.optim.swa_utils computes it.

    Args:
        module: Whose weights are trained.
        n_steps: Over which is averaged: each step back counts 1 - 1 / n_steps of the one after it. At most 1 takes the
            weights as they are.
    """

    def __init__(self, module: Module, n_steps: float) -> None:
        self._module = module
        self._average: AveragedModel | None = None
        if n_steps > 1:
            decay = 1 - 1 / n_steps
            self._average = AveragedModel(module, multi_avg_fn=get_ema_multi_avg_fn(decay))  # type: ignore[no-untyped-call]

    @property
    def module(self) -> Module:
        """The module with averaged weights; itself before the first step."""
        if self._average is None or int(self._average.n_averaged) == 0:
            return self._module
        return cast(Module, self._average.module)

    @torch.no_grad()
    def update(self) -> None:
        """Takes in the weights of a step."""
        if self._average is not None:
            self._average.update_parameters(self._module)

    def state(self) -> dict[str, Tensor]:
        """What `load` takes up; empty without an average."""
        return {} if self._average is None else dict(self._average.state_dict())

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Takes up what `state` gave."""
        if self._average is not None:
            self._average.load_state_dict(dict(state))
