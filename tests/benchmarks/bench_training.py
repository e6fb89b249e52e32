"""Training at Criteo's shape: 13 numbers, 26 fields, the authors' tables of 3.07 or 33.8 million rows of 16 numbers.

NASRec's two published networks for Criteo and DLRM (Naumov et al., arXiv 1906.00091: bottom 512-256-64-16, top
512-256-1), by moco's optimiser and by torch's defaults: Adam on dense gradients. Ids follow a power law, as those of
`moco data generate criteo` do. Two threads; run it alone on a quiet machine:

    python -m tests.benchmarks training
"""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from moco.data.logs import LOG_FORMATS, LogOptions, StoredLog, generate_log, prepare_log
from moco.recipes import RECIPES
from moco.supernet.forward import Path as NetworkPath
from moco.supernet.loop import logloss_of
from moco.supernet.network import Embedding, Network, forward_pass
from moco.supernet.optimiser import Optimiser
from moco.supernet.rows import MappedRows, TensorRows
from spaces import PUBLISHED_NETWORKS

N_ROWS = 400_000
N_STEPS, N_WARM_STEPS = 20, 3
LIMITS = {"capped": 500_000, "full": None}
BATCH_SIZES = (512, 4096)
Loss = Callable[[TensorRows, Tensor], Tensor]


class Dlrm(nn.Module):
    """DLRM without its tables: dense fields and embedded rows to logits."""

    def __init__(self, n_dense: int, n_fields: int, width: int) -> None:
        super().__init__()
        self.bottom = _layers(n_dense, 512, 256, 64, width)
        self.top = _layers(width + n_fields * (n_fields + 1) // 2, 512, 256)
        self.head = nn.Linear(256, 1)
        self.pairs: Tensor
        self.register_buffer("pairs", torch.tril_indices(n_fields + 1, n_fields + 1, offset=-1))

    def forward(self, dense: Tensor, rows: Tensor) -> Tensor:
        """(N, D) and (N, F, E) to (N,)."""
        x = self.bottom(dense)
        vectors = torch.cat([x[:, None], rows], dim=1)
        products = torch.bmm(vectors, vectors.transpose(1, 2))[:, self.pairs[0], self.pairs[1]]
        logits: Tensor = self.head(self.top(torch.cat([x, products], dim=1)))[:, 0]
        return logits


def _layers(*widths: int) -> nn.Sequential:
    layers = ((nn.Linear(n_in, n_out), nn.ReLU()) for n_in, n_out in pairwise(widths))
    return nn.Sequential(*chain.from_iterable(layers))


def networks(cardinalities: tuple[int, ...]) -> dict[str, tuple[Embedding, list[nn.Parameter], Loss]]:
    """Table, other weights and loss of each network; they share one table, which one of them trains at a time."""
    embedding = Embedding(cardinalities, 16, torch.Generator().manual_seed(0))
    dlrm = Dlrm(13, len(cardinalities), 16)

    def dlrm_loss(batch: TensorRows, rows: Tensor) -> Tensor:
        return logloss_of(dlrm(batch.dense, rows), batch.labels)

    found: dict[str, tuple[Embedding, list[nn.Parameter], Loss]] = {}
    for name in ("criteo-full", "criteo-small"):
        network = Network(PUBLISHED_NETWORKS[name], [2] * len(cardinalities), 13, seed=0)

        def loss(batch: TensorRows, rows: Tensor, network: Network = network) -> Tensor:
            path = NetworkPath.of(network.architecture)
            return logloss_of(forward_pass(network, path, batch.dense, rows).logits(), batch.labels)

        found[f"NASRec {name}"] = (embedding, list(network.weights.parameters()), loss)
    return found | {"DLRM": (embedding, list(dlrm.parameters()), dlrm_loss)}


def step_ms(
    rows: MappedRows, size: int, table: Embedding, loss_of: Loss, update: Callable[[Tensor, int], None]
) -> float:
    """Median milliseconds of a step, reading its batch from the memory map included."""
    order = np.random.default_rng(0).permutation(len(rows))
    spent = []
    for step in range(N_WARM_STEPS + N_STEPS):
        started = time.perf_counter()
        batch = rows.take(order[step * size : (step + 1) * size])
        update(loss_of(batch, table(batch.ids)), step)
        spent.append(time.perf_counter() - started)
    return float(np.median(spent[N_WARM_STEPS:]) * 1e3)


def reading_ms(rows: MappedRows, size: int) -> float:
    """Median milliseconds to read a batch of rows in random order, which no step has touched before."""
    order, spent = np.random.default_rng(1).permutation(len(rows)), []
    for step in range(N_STEPS):
        started = time.perf_counter()
        rows.take(order[step * size : (step + 1) * size])
        spent.append(time.perf_counter() - started)
    return float(np.median(spent) * 1e3)


def dense_adam(table: Embedding, others: list[nn.Parameter], loss_of: Loss, rows: MappedRows, size: int) -> float:
    """Milliseconds of a step as torch does it by default: a dense gradient of the whole table, and Adam."""
    adam = torch.optim.Adam([table.table, *others], lr=1e-3)
    offsets = table.get_buffer("offsets")

    class Dense(nn.Module):
        def forward(self, ids: Tensor) -> Tensor:
            return nn.functional.embedding(ids + offsets, table.table)

    def update(loss: Tensor, _: int) -> None:
        adam.zero_grad()
        torch.autograd.backward(loss)
        adam.step()

    return step_ms(rows, size, Dense(), loss_of, update)  # type: ignore[arg-type]


def resident_mb() -> float:
    """Memory that the process holds."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmRSS"].split()[0]) * 1024 / 1e6


def logs(folder: Path) -> dict[str, StoredLog]:
    """A generated log under the authors' encoding, with tables capped as in their search, and full."""
    generate_log("criteo", folder / "train.txt", N_ROWS)
    return {
        name: prepare_log("criteo", folder, folder / name, LogOptions(encoding="authors", max_table_rows=limit))
        for name, limit in LIMITS.items()
    }


def main() -> None:
    torch.set_num_threads(2)
    settings = replace(RECIPES["criteo"].final, batch_size=512)
    assert len(LOG_FORMATS["criteo"].categorical("authors")) == 26
    by_tables: dict[tuple[str, int], dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for tables, log in logs(Path(temporary)).items():
            rows = MappedRows(log.train, torch.device("cpu"))
            before_mb = resident_mb()
            for name, (table, others, loss_of) in networks(log.cardinalities).items():
                for size in BATCH_SIZES:
                    optimiser = Optimiser(table.table, others, settings, n_steps=10**6)
                    ours_ms = step_ms(rows, size, table, loss_of, optimiser.step)
                    held_mb = resident_mb() - before_mb
                    by_tables.setdefault((name, size), {})[tables] = ours_ms
                    line = (
                        f"{name:<21}{sum(log.cardinalities) / 1e6:6.2f} M rows  batch {size:>4}  {ours_ms:7.1f} ms "
                        f"{size / ours_ms * 1e3:>9,.0f} rows/s  {held_mb:6,.0f} MB more than before  "
                        f"reading {reading_ms(rows, size) / ours_ms:.1%} of a step"
                    )
                    del optimiser
                    table.table.grad = None
                    gc.collect()
                    if tables == "capped":
                        theirs_ms = dense_adam(table, others, loss_of, rows, size)
                        table.table.grad = None
                        gc.collect()
                        line += f"  dense Adam {theirs_ms:7.1f} ms, {theirs_ms / ours_ms:.1f} times as long"
                    print(line, flush=True)
    for (name, size), spent in by_tables.items():
        print(
            f"{name:<21}batch {size:>4}  step with full tables / with capped ones {spent['full'] / spent['capped']:.3f}"
        )


if __name__ == "__main__":
    main()
