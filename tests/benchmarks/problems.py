"""Problems with known difficulties to compare engines on: genomes in, objectives and constraints out, all minimised.

Discretised versions of what the literature uses, a rugged landscape, and one shaped like a search of networks and
chips. Each names the point that its hypervolume is measured from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spaces.space import ChoiceBlock, Space
from studies import Constraint, Evaluation, Objective

Values = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class BenchProblem:
    """A space and a function of its genomes.

    Attributes:
        reference: (M,) point of the hypervolume.
        values: (B, P) genomes to (B, M) objectives.
        limits: (B, P) genomes to (B, K) quantities, feasible where at most 0; None without constraints.
        is_expensive: Which objectives a search should take for expensive; the others may be computed at will.
    """

    name: str
    space: Space
    reference: tuple[float, ...]
    values: Callable[[NDArray[np.int64]], Values]
    limits: Callable[[NDArray[np.int64]], Values] | None = None
    n_constraints: int = 0
    is_expensive: tuple[bool, ...] = ()

    @property
    def objectives(self) -> tuple[Objective, ...]:
        return tuple(Objective(name=f"f{i}", reference=point) for i, point in enumerate(self.reference))

    @property
    def constraints(self) -> tuple[Constraint, ...]:
        return tuple(Constraint(name=f"g{i}", limit=0.0) for i in range(self.n_constraints))

    def cheap(self, genomes: NDArray[np.int64]) -> Evaluation:
        """The objectives that are not expensive, NaN for the others."""
        return Evaluation(np.where(self.is_expensive, np.nan, self.values(genomes)))

    def evaluate(self, genomes: NDArray[np.int64]) -> Evaluation:
        return Evaluation(self.values(genomes), None if self.limits is None else self.limits(genomes))


def levels(name: str, n_blocks: int, n_levels: int) -> Space:
    """Variables on a grid of equal steps."""
    return Space(name, tuple(ChoiceBlock(f"x{i}", tuple(range(n_levels)), is_ordered=True) for i in range(n_blocks)))


def mnk60() -> BenchProblem:
    """Three random landscapes: 60 unordered blocks of 4 choices, each block's share depends on two others too.

    Source: MNK landscapes, Aguirre and Tanaka, EJOR 181 (2007), doi:10.1016/j.ejor.2006.08.004, with K = 2.
    """
    n, n_choices, k, n_objectives = 60, 4, 2, 3
    rng = np.random.default_rng(60)
    others = np.stack(
        [[rng.permutation(np.delete(np.arange(n), i))[:k] for i in range(n)] for _ in range(n_objectives)]
    )
    table = rng.random((n_objectives, n, n_choices ** (k + 1)))

    def values(genomes: NDArray[np.int64]) -> Values:
        found = []
        for objective in range(n_objectives):
            code = genomes + sum(genomes[:, others[objective, :, j]] * n_choices ** (j + 1) for j in range(k))
            found.append(table[objective, np.arange(n), code].mean(axis=1))
        return np.stack(found, axis=1)

    space = Space("mnk60", tuple(ChoiceBlock(f"b{i}", tuple(range(n_choices))) for i in range(n)))
    return BenchProblem(name="MNK60", space=space, reference=(0.75,) * n_objectives, values=values)


def hw60() -> BenchProblem:
    """Networks of 20 layers on a chip: error, latency of the slowest layer, energy, each 1 for a middling design.

    A layer chooses an operator of four, a width of four and bits of four. Energy and latency grow with the widths on
    both sides and the bits. The error is made of what each layer is worth, with less for every further one of a kind,
    of how well neighbours go together, and of what few bits lose; it alone is expensive.
    """
    n_layers = 20
    rng = np.random.default_rng(7)
    width, bits = np.array([16.0, 32.0, 64.0, 128.0]), np.array([2.0, 4.0, 6.0, 8.0])
    work, speed = np.array([1.0, 0.4, 1.6, 0.1]), np.array([1.0, 0.5, 2.5, 0.2])
    worth = rng.gamma(2.0, 0.5, (n_layers, 4)) * np.array([1.0, 0.7, 1.3, 0.2])
    match = rng.normal(0.0, 0.3, (n_layers - 1, 4, 4))
    loss = rng.gamma(2.0, 0.5, n_layers)
    names = ("operator", "width", "bits")
    blocks = [
        ChoiceBlock(f"l{i}.{name}", tuple(range(4)), is_ordered=name != "operator")
        for i in range(n_layers)
        for name in names
    ]
    space = Space("hw60", tuple(blocks))

    def raw(genomes: NDArray[np.int64]) -> Values:
        operator, w, b = genomes[:, 0::3], width[genomes[:, 1::3]], bits[genomes[:, 2::3]]
        w_in = np.concatenate([np.full((len(genomes), 1), 32.0), w[:, :-1]], axis=1)
        macs = w_in * w * b
        layer = np.arange(n_layers)
        value = worth[layer, operator] * np.log2(w / 8) / 4
        neighbours = match[layer[:-1], operator[:, :-1], operator[:, 1:]].sum(axis=1)
        gain = value.sum(axis=1) + neighbours - (loss * 4.0 ** (-b / 2)).sum(axis=1) * 4
        return np.stack(
            [np.exp(-gain / n_layers * 2), (macs * speed[operator]).max(axis=1), (macs * work[operator]).sum(axis=1)],
            axis=1,
        )

    middling = np.median(raw(space.sample(np.random.default_rng(0), 2000)), axis=0)
    return BenchProblem(
        name="HW60",
        space=space,
        reference=(1.2,) * 3,
        values=lambda genomes: raw(genomes) / middling,
        is_expensive=(True, False, False),
    )


def dtlz2() -> BenchProblem:
    """DTLZ2 (Deb et al. 2002) on 12 variables of 32 levels: a sphere."""

    def values(genomes: NDArray[np.int64]) -> Values:
        x = genomes / 31.0
        g = ((x[:, 2:] - 0.5) ** 2).sum(axis=1)
        a, b = x[:, 0] * np.pi / 2, x[:, 1] * np.pi / 2
        return np.stack([np.cos(a) * np.cos(b), np.cos(a) * np.sin(b), np.sin(a)], axis=1) * (1 + g)[:, None]

    return BenchProblem(name="DTLZ2", space=levels("dtlz2", 12, 32), reference=(1.1,) * 3, values=values)


def zdt1() -> BenchProblem:
    """ZDT1 (Zitzler, Deb and Thiele 2000) on 30 variables of 32 levels."""

    def values(genomes: NDArray[np.int64]) -> Values:
        x = genomes / 31.0
        g = 1 + 9 * x[:, 1:].mean(axis=1)
        return np.stack([x[:, 0], g * (1 - np.sqrt(x[:, 0] / g))], axis=1)

    return BenchProblem(name="ZDT1", space=levels("zdt1", 30, 32), reference=(1.1, 6.0), values=values)


def osy() -> BenchProblem:
    """OSY (Osyczka and Kundu 1995) on 6 variables of 64 levels, with 6 constraints."""
    lower, upper = np.array([0.0, 0, 1, 0, 1, 0]), np.array([10.0, 10, 5, 6, 5, 10])

    def variables(genomes: NDArray[np.int64]) -> Values:
        scaled: Values = (lower + (upper - lower) * genomes / 63.0).T
        return scaled

    def values(genomes: NDArray[np.int64]) -> Values:
        a, b, c, d, e, _ = x = variables(genomes)
        first = -(25 * (a - 2) ** 2 + (b - 2) ** 2 + (c - 1) ** 2 + (d - 4) ** 2 + (e - 1) ** 2)
        return np.stack([first, (x**2).sum(axis=0)], axis=1)

    def limits(genomes: NDArray[np.int64]) -> Values:
        a, b, c, d, e, f = variables(genomes)
        kept = [
            (a + b - 2) / 2,
            (6 - a - b) / 6,
            (2 - b + a) / 2,
            (2 - a + 3 * b) / 2,
            (4 - (c - 3) ** 2 - d) / 4,
            ((e - 3) ** 2 + f - 4) / 4,
        ]
        return -np.stack(kept, axis=1)

    return BenchProblem(
        name="OSY", space=levels("osy", 6, 64), reference=(0.0, 80.0), values=values, limits=limits, n_constraints=6
    )


def mw7() -> BenchProblem:
    """MW7 (Ma and Wang 2019, doi:10.1109/TEVC.2019.2896967) on 15 variables of 64 levels, with 2 constraints."""
    n = 15

    def values(genomes: NDArray[np.int64]) -> Values:
        x = genomes / 63.0
        shift = x[:, 1:] + (x[:, :-1] - 0.5) ** 2 - 1  # the third distance function of the suite
        g = 1 + (2 * shift**2).sum(axis=1)
        return np.stack([g * x[:, 0], g * np.sqrt(np.maximum(0, 1 - x[:, 0] ** 2))], axis=1)

    def limits(genomes: NDArray[np.int64]) -> Values:
        a, b = values(genomes).T
        angle = np.arctan2(b, a)
        outer = (1.2 + 0.4 * np.sin(4 * angle) ** 16) ** 2 - a**2 - b**2
        inner = (1.15 - 0.2 * np.sin(4 * angle) ** 8) ** 2 - a**2 - b**2
        return np.stack([-outer, inner], axis=1)

    return BenchProblem(
        name="MW7", space=levels("mw7", n, 64), reference=(1.3, 1.3), values=values, limits=limits, n_constraints=2
    )


PROBLEMS = (mnk60, hw60, dtlz2, zdt1, osy, mw7)
