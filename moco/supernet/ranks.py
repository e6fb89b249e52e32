"""Several processes, on one machine or many, that train one network together: `torchrun -m moco train ...`.

Every process holds the whole network and a share of each batch. torch's DistributedDataParallel averages the gradients
of the weights; the embedding table's, which may be sparse, is averaged here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, distributed, nn


@dataclass(frozen=True, slots=True)
class Ranks:
    """The processes of one training.

    Attributes:
        rank: Of this process, from 0.
        n_ranks: How many there are.
    """

    rank: int = 0
    n_ranks: int = 1

    @staticmethod
    def here() -> Ranks:
        """Those that this process belongs to: more than one inside `joined` under torchrun."""
        if not (distributed.is_available() and distributed.is_initialized()):
            return Ranks()
        return Ranks(distributed.get_rank(), distributed.get_world_size())

    def share_of(self, index: NDArray[np.int64]) -> NDArray[np.int64]:
        """This process's rows of a batch."""
        return index[self.rank :: self.n_ranks]

    def average_gradient(self, table: nn.Parameter) -> None:
        """The gradient of a table averaged over the processes; of a sparse one the rows of all are joined."""
        if self.n_ranks == 1 or table.grad is None:
            return
        if not table.grad.is_sparse:
            distributed.all_reduce(table.grad)
            table.grad /= self.n_ranks
            return
        indices, values = table.grad._indices(), table.grad._values() / self.n_ranks
        # Every process has rows for as many samples, so that all pieces are of one size.
        joined = [torch.empty_like(part).repeat(self.n_ranks, 1) for part in (indices.T, values)]
        for out, part in zip(joined, (indices.T, values), strict=True):
            distributed.all_gather_single(out, part.contiguous())
        table.grad = torch.sparse_coo_tensor(joined[0].T, joined[1], table.shape, check_invariants=False)

    def mean(self, value: Tensor) -> Tensor:
        """A number averaged over the processes."""
        if self.n_ranks > 1:
            distributed.all_reduce(value)
            value = value / self.n_ranks
        return value

    @contextmanager
    def first_alone(self) -> Iterator[None]:
        """A block that the first process runs through before the others begin, such as making a file that all read."""
        if self.rank > 0:
            self.wait()
        yield
        if self.rank == 0:
            self.wait()

    def wait(self) -> None:
        """Until every process is here."""
        if self.n_ranks > 1:
            distributed.barrier()


class Shared(nn.Module):
    """Weights whose gradients DistributedDataParallel averages; its forward pass is whatever is computed with them."""

    def __init__(self, parts: Sequence[nn.Module]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)

    def forward(self, compute: Callable[[], Tensor]) -> Tensor:
        """What `compute` gives."""
        return compute()


def shared(parts: Sequence[nn.Module], ranks: Ranks) -> Callable[[Callable[[], Tensor]], Tensor]:
    """A function that computes a loss so that the gradients of these parts are those of all processes."""
    module = Shared(parts)
    if ranks.n_ranks == 1:
        return module
    # A path uses some of the supernet's weights only, the same ones in every process.
    return nn.parallel.DistributedDataParallel(module, find_unused_parameters=True)


def n_started() -> int:
    """Processes that torchrun has started, this one among them; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


@contextmanager
def joined() -> Iterator[Ranks]:
    """The processes that torchrun has started, joined for a `with` block; this one alone where it has started none."""
    if n_started() == 1 or distributed.is_initialized():
        yield Ranks.here()
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield Ranks.here()
    finally:
        distributed.destroy_process_group()
