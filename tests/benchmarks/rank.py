"""Does the supernet rank like training from scratch? Scores and controls beside a truth.

Scores, all of one supernet: its raw weights; the head tuned in 500 steps of Adagrad, as NASRec's authors do; the head
refitted; all layers tuned in a few steps before, which is what moco does, and the same less the bias that is known; a
pass over a quarter of the rows, with embeddings trained too, from the supernet's weights and from scratch.
Corrected scores are learned from half of the networks and judged on the other half, over many splits.

python -m tests.benchmarks.rank movielens-100k [--seed 0] [--supernet FILE]

Without a file, the supernet of the data set's recipe is trained into the folder, or read from there. Supernets of other
seeds rank quite differently: one of them says little.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from joblib import Parallel, cpu_count, delayed
from numpy.typing import NDArray

from moco.data import CtrDataset
from moco.oracle.correction import Correction
from moco.oracle.features import FEATURES, network_features
from moco.oracle.fidelity import Noise, ceiling, kendall_tau, rank_correlation, share_of_resamples_better
from moco.oracle.known_bias import KNOWN_BIAS
from moco.oracle.oracle import Oracle
from moco.oracle.truth import Truth
from moco.oracle.validation import CONTROLS, UNTRAINED, untrained
from moco.recipes import recipe_for
from moco.search.codesign import codesign_space
from moco.supernet import TrainedSupernet, train_supernet
from moco.supernet.checkpoint import held_out_rows
from moco.supernet.loop import threads
from moco.supernet.metrics import Score, score_of
from moco.supernet.network import Network
from moco.supernet.rows import TensorRows
from moco.training.from_scratch import train_from_scratch
from spaces.architecture import Architecture
from tests.benchmarks.truth.__main__ import FOLDER, dataset, lessons

Floats = NDArray[np.float64]

TUNED = "layers tuned"
UNBIASED = "less its known bias"
N_SPLITS = 40
N_ROWS = 10_000
SGD_STEPS, SGD_BATCH, SGD_RATE = 500, 512, 0.04
SHORT_ROWS, SHORT_BATCH = 200_000, 256


def rows_of(data: CtrDataset, supernet: TrainedSupernet) -> tuple[TensorRows, TensorRows]:
    """Held-out train rows to tune heads on, and valid rows to judge on."""
    rng = np.random.default_rng(0)
    held_out = rng.permutation(held_out_rows(len(data.train), supernet.settings, supernet.seed))[:N_ROWS]
    valid = rng.permutation(len(data.valid))[:N_ROWS]
    here = torch.device("cpu")
    return TensorRows.of(data.train.rows(held_out), here), TensorRows.of(data.valid.rows(valid), here)


def raw(data: CtrDataset, supernet: TrainedSupernet, network: Architecture) -> float:
    """Log loss of the shared weights as they are."""
    with threads(1):
        return score_of(lambda ids, dense: supernet.supernet(ids, dense, network), rows_of(data, supernet)[1]).logloss


def head_by_sgd(data: CtrDataset, supernet: TrainedSupernet, network: Architecture) -> float:
    """Log loss after 500 steps on the head alone, the network computed in each, as NASRec's authors have it."""
    refit, judge = rows_of(data, supernet)
    with threads(1):
        with torch.no_grad():
            cut = supernet.supernet.cut_out(network)
        weight = cut.weights["head_weight"][0].detach().clone().requires_grad_()
        bias = cut.weights["head_bias"].detach().clone().requires_grad_()
        optimiser = torch.optim.Adagrad([weight, bias], lr=SGD_RATE)
        rows = torch.Generator().manual_seed(0)
        for _ in range(SGD_STEPS):
            index = torch.randint(len(refit), (SGD_BATCH,), generator=rows)
            with torch.no_grad():
                features = supernet.supernet.features(refit.ids[index], refit.dense[index], network)
            logits = features @ weight + bias
            loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, refit.labels[index])
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
        with torch.no_grad():
            logits = supernet.supernet.features(judge.ids, judge.dense, network) @ weight + bias
        return Score.of(judge.labels.numpy(), logits.numpy()).logloss


def trained_shortly(data: CtrDataset, network: Architecture, start: Network | None) -> float:
    """Valid log loss after one pass over a few rows."""
    n_rows = min(SHORT_ROWS, len(data.train) // 4)
    few = np.random.default_rng(0).permutation(len(data.train))[:n_rows]
    taught = cast(CtrDataset, lessons(data))
    settings = replace(recipe_for(data).final, epochs=1, batch_size=SHORT_BATCH)
    return train_from_scratch(
        replace(taught, train=taught.train.rows(few)), network, settings=settings, start=start
    ).valid.logloss


def shortly_from_supernet(data: CtrDataset, supernet: TrainedSupernet, network: Architecture) -> float:
    """From its share of the supernet's weights."""
    return trained_shortly(data, network, supernet.supernet.cut_out(network))


def shortly_from_scratch(data: CtrDataset, _: TrainedSupernet, network: Architecture) -> float:
    """From weights drawn anew."""
    return trained_shortly(data, network, None)


def scores_of(
    how: Callable[[CtrDataset, TrainedSupernet, Architecture], float],
    data: CtrDataset,
    supernet: TrainedSupernet,
    networks: list[Architecture],
) -> tuple[Floats, float]:
    """The score of each network, and processor seconds for one."""
    start_s = time.monotonic()
    found = Parallel(n_jobs=cpu_count())(delayed(how)(data, supernet, network) for network in networks)
    return np.array(found), (time.monotonic() - start_s) * cpu_count() / len(networks)


def corrected_taus(score: Floats, features: Floats, truth: Floats, controls: dict[str, Floats]) -> dict[str, Floats]:
    """Kendall's tau on the held-out half of each split: of corrections that read this or that, and of controls."""
    taus: dict[str, list[float]] = {}
    rng = np.random.default_rng(0)
    for _ in range(N_SPLITS):
        order = rng.permutation(len(truth))
        known, held_out = order[::2], order[1::2]
        for name, read in (("corrected score", score), ("the same without the score", np.zeros_like(score))):
            fitted = Correction.fit(read[known], features[known], truth[known])
            predicted = fitted.predict(read[held_out], features[held_out])[0]
            taus.setdefault(name, []).append(kendall_tau(predicted, truth[held_out]))
        for name, control in {"plain score": score, **controls}.items():
            taus.setdefault(name, []).append(kendall_tau(control[held_out], truth[held_out]))
    return {name: np.array(values) for name, values in taus.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=("frappe", "movielens-100k", "synthetic"))
    parser.add_argument("--seed", type=int, default=0, help="of the supernet")
    parser.add_argument("--supernet", type=Path, help="checkpoint of a supernet with the recipe's settings")
    parser.add_argument("--share", type=float, help="average_share of that supernet, where it is not the recipe's")
    given = parser.parse_args()
    data = dataset(given.data)
    truth = Truth.read(FOLDER, given.data)
    if truth is None:
        parser.error(f"there is no truth of {given.data}: python -m tests.benchmarks.truth {given.data}")
    space = codesign_space(data, truth.space_kind)
    settings = recipe_for(data).supernet
    if given.share is not None:
        settings = replace(settings, average_share=given.share)
    file = given.supernet or Path("runs") / f"rank-{given.data}-{given.seed}.safetensors"
    file.parent.mkdir(parents=True, exist_ok=True)
    supernet = train_supernet(data, space, settings=settings, seed=given.seed, checkpoint=file)
    truth = truth.useful(data)
    table = truth.figures()
    complete = ~np.isnan(table).any(axis=1)
    table, true = table[complete], table[complete].mean(axis=1)
    batch = space.network.networks(truth.genomes[complete])
    networks = list(batch)
    noise = Noise.of(table)
    print(
        f"{supernet.summary()}\n{len(true)} networks, valid log loss {true.min():.4f} to {true.max():.4f}; seed sd "
        f"{noise.seed_sd:.4f}, between networks {noise.network_sd:.4f}, ratio {noise.network_sd / noise.seed_sd:.1f}, "
        f"ceiling {ceiling(table):.2f}"
    )
    half = true <= np.median(true)
    print(
        f"better half: ratio {Noise.of(table[half]).network_sd / noise.seed_sd:.1f}, ceiling {ceiling(table[half]):.2f}"
    )
    features = network_features(batch, space.network.n_dense, space.network.n_sparse)
    scores, seconds = {}, {}
    for name, n_steps in ((TUNED, None), ("head refitted", 0)):
        start_s = time.monotonic()
        scores[name] = Oracle(supernet, data, n_tuning_steps=n_steps).score(batch).logloss
        seconds[name] = (time.monotonic() - start_s) * cpu_count() / len(networks)
    ways = {
        "raw weights": raw,
        "head by 500 steps": head_by_sgd,
        "a quarter, supernet": shortly_from_supernet,
        "a quarter, scratch": shortly_from_scratch,
    }
    for name, how in ways.items():
        scores[name], seconds[name] = scores_of(how, data, supernet, networks)
    scores[UNBIASED] = KNOWN_BIAS.taken_off(scores[TUNED], features, float(scores[TUNED].std()))
    controls = {name: -features[:, FEATURES.index(feature)] for name, feature in CONTROLS.items()}
    controls[UNTRAINED] = Oracle(untrained(supernet), data).score(batch).logloss
    best = max(controls, key=lambda name: kendall_tau(controls[name], true))
    for name, values in {**scores, **controls}.items():
        every, better = rank_correlation(values, true), rank_correlation(values[half], true[half])
        beats = share_of_resamples_better(values, controls[best], true)
        top = int(np.argsort(true).argsort()[np.argsort(values)[:5]].min()) + 1
        cost = f", {seconds[name]:.2f} s" if name in seconds else ""
        print(
            f"{name:<22} tau {every}, Spearman {every.spearman:.2f}; better half {better}, {better.spearman:.2f}; "
            f"beats {best} in {beats:.0%}; best of its top 5 is number {top}{cost}"
        )
    print(f"learned from half, judged on the other half, mean and sd over {N_SPLITS} splits:")
    for name, taus in corrected_taus(scores[TUNED], features, true, controls).items():
        print(f"{name:<34} tau {taus.mean():.2f} +- {taus.std():.2f}")


if __name__ == "__main__":
    main()
