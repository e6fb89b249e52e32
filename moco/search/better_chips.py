"""Better chips for the networks that a search proposes, before any is scored.

What a design costs is computed in microseconds, what it is worth takes tenths of a second, and on all chips that lose
nothing a network is worth the same. So each proposed network gets the best of many chips first: what a memetic
algorithm (Moscato 1989, Caltech C3P 826) does, here for the objectives that are cheap alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from moco.search.look_ahead import LOOKS_AHEAD, LookAhead
from spaces import Genomes

N_RANDOM = 64
"""Chips drawn anew for each network."""

N_NEAR = 64
"""Chips that differ from the proposed one in some choices."""

CHANGED_SHARE = 0.2
"""Of the choices of a near chip, those that are drawn anew."""

LEFT_SHARE = 0.25
"""Of the proposals, those that stay as they are: so chips that lose something are searched too."""


@dataclass(frozen=True)
class BetterChips:
    """Gives proposed networks better chips.

    Attributes:
        look: Says what designs cost.
    """

    look: LookAhead

    def __call__(self, genomes: Genomes, rng: np.random.Generator) -> Genomes:
        """(B, P) genomes, most of them with the best of many chips that lose nothing; never a worse one.

        The best has the least weighted mean of the logarithms of energy and latency, with a weight drawn for each
        network, so that the whole front between both is reached; one that keeps the caps goes before one that does not.
        """
        if len(genomes) == 0:
            return genomes
        is_open, weight = rng.random(len(genomes)) >= LEFT_SHARE, rng.random((len(genomes), 1))
        tried = self._tried(genomes, rng)
        shape, flat = tried.shape[:2], tried.reshape(-1, tried.shape[2])
        costs = self.look.costs(flat)
        energy_pj, latency_ns = costs.estimate.energy_pj.reshape(shape), costs.estimate.latency_ns.reshape(shape)
        loss = weight * np.log(energy_pj) + (1 - weight) * np.log(latency_ns)
        is_within = self.look.keeps_caps(costs).reshape(shape)
        is_lossless = costs.is_lossless.reshape(shape)
        is_allowed = is_lossless & (is_within | ~(is_lossless & is_within).any(axis=1, keepdims=True))
        best = np.where(is_allowed, loss, np.inf).argmin(axis=1)
        best[~is_open | ~is_allowed.any(axis=1)] = 0
        found: Genomes = tried[np.arange(len(genomes)), best]
        return found

    def _tried(self, genomes: Genomes, rng: np.random.Generator) -> Genomes:
        """(B, 1 + N_RANDOM + N_NEAR, P) each proposal, and its network on other chips."""
        n_networks, n_others = len(genomes), N_RANDOM + N_NEAR
        drawn = self.look.space.hardware.sample(rng, n_networks * n_others).reshape(n_networks, n_others, -1)
        is_drawn = rng.random(drawn.shape) < CHANGED_SHARE
        is_drawn[:, :N_RANDOM] = True
        tried = np.repeat(genomes[:, None], 1 + n_others, axis=1)
        chips = tried[:, 1:, self.look.space.n_network_blocks :]
        chips[...] = np.where(is_drawn, drawn, chips)
        return self.look.space.canonical(tried.reshape(-1, tried.shape[2])).reshape(tried.shape)


def improver(engine: str, look: LookAhead) -> BetterChips | None:
    """What gives the proposals of an engine better chips; None for the one that looks ahead by itself."""
    return None if engine == LOOKS_AHEAD else BetterChips(look)


def with_better_chips(known: Genomes, look: LookAhead, seed: int) -> Genomes:
    """(2 B, P) the (B, P) known designs, then their networks with better chips."""
    return np.concatenate([known, BetterChips(look)(known, np.random.default_rng((seed, 11)))])
