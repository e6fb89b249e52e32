"""The searches that are compared: network and chip together, networks on one chip, chips for settled networks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from moco.compare.fixed_chip import at_uniform_bits, fixed_chip_space, on_fixed_chip
from moco.compare.judge import Judge, Plan
from moco.compare.settled_networks import settled_networks
from moco.design import Design
from moco.progress import progress_bar
from moco.search.better_chips import improver
from moco.search.codesign import CodesignStudy
from moco.search.known import first_population, known_designs, known_networks
from moco.search.most_work import most_work
from spaces import CodesignSpace, Genomes, products
from studies import Evaluation, Objective, Study, Trials, is_non_dominated

FIRST_SHARE = 0.5
"""Of the evaluations of a search in two steps, what goes to the network."""

MOST_NETWORKS = 24
"""Networks that go from the first step to the second at most, spread over the front."""


@dataclass(frozen=True, eq=False)
class Found:
    """Designs that a search evaluated.

    Attributes:
        codesign: Evaluates the space of their genomes.
        trials: Their values are log loss, energy and latency, their feasibility that of the joint search.
    """

    codesign: CodesignStudy
    trials: Trials

    def designs(self, rows: NDArray[np.int64]) -> list[Design]:
        """Some of them, in the order of the rows."""
        return self.codesign.designs(self.trials.select(rows))

    @property
    def useful(self) -> NDArray[np.int64]:
        """Rows that are feasible and predict better than the mean label."""
        worst = self.codesign.study.objectives[0].reference
        is_useful = self.trials.is_feasible & (self.trials.values[:, 0] < (np.inf if worst is None else worst))
        return np.flatnonzero(is_useful)


def first_trials(trials: Trials, n: int) -> Trials:
    """The n trials that were evaluated first."""
    return trials.select(np.arange(min(n, len(trials))))


def joint_search(judge: Judge, plan: Plan, space: CodesignSpace, networks: Genomes) -> Found:
    """Network and chip together, as the run's own search, with another seed."""
    look = judge.look_ahead(space)
    known, improve = first_population(look, plan.seed, networks), improver(plan.engine, look)
    with plan.study("joint", space, judge.objectives, judge.constraints, known, judge, improve, look) as study:
        codesign = judge.codesign(space, study)
        _optimise(study, codesign.evaluate, plan.n_evaluations, f"joint search, seed {plan.seed}", plan)
        return Found(codesign, first_trials(study.trials(), plan.n_evaluations))


def architecture_search(judge: Judge, plan: Plan, space: CodesignSpace, networks: Genomes) -> tuple[Found, Found]:
    """Networks at 8 bits on ISAAC's chip, for low log loss and few multiply-accumulates.

    Args:
        judge: Of designs.
        plan: Of the searches.
        space: The joint space.
        networks: (n, P) networks of the joint space to begin with, beside the hand-made ones and those of most work.

    Returns:
        What the first share of the evaluations found, and what all of them did.
    """
    fixed = fixed_chip_space(space)
    hand_made = fixed.network.genomes_of(list(known_networks(fixed.network).values()))
    working = most_work(judge.look_ahead(space), plan.seed, known_designs(space, networks))[:, : space.n_network_blocks]
    known = np.concatenate([on_fixed_chip(fixed, some) for some in (hand_made, networks, working)])
    objectives = [judge.objectives[0], Objective(name="macs")]

    def cheap(genomes: Genomes) -> Evaluation:
        made = products(fixed.networks(genomes), len(judge.data.dense), len(judge.data.categorical))
        return Evaluation(
            np.column_stack([np.full(len(genomes), np.nan), made.macs]), attributes={"log_macs": np.log1p(made.macs)}
        )

    with plan.study("networks on ISAAC's chip", fixed, objectives, (), known, judge, cheap=cheap) as study:
        codesign = judge.codesign(fixed, study)

        def evaluate(genomes: Genomes) -> Evaluation:
            found = codesign.evaluate(genomes)
            values, attributes = np.asarray(found.values), dict(found.attributes)
            attributes |= {"energy_pj": values[:, 1], "latency_ns": values[:, 2]}
            return Evaluation(np.column_stack([values[:, 0], np.asarray(attributes["macs"])]), attributes=attributes)

        ends = (n_first(plan.n_evaluations), plan.n_evaluations)
        for n_trials in ends:
            _optimise(study, evaluate, n_trials, f"architecture search, seed {plan.seed}", plan)
        trials = _as_joint(study.trials(), judge)
        first, whole = (Found(codesign, first_trials(trials, n_trials)) for n_trials in ends)
        return first, whole


def chip_search(judge: Judge, plan: Plan, space: CodesignSpace, first: Found) -> Found:
    """Weight bits and chips for the networks of the first step's front, with what evaluations are left."""
    n_left = plan.n_evaluations - len(first.trials)
    networks = settled_of(first, space)
    settled, look = settled_networks(space, networks), judge.look_ahead(space)
    with plan.study(
        "chips second",
        settled,
        judge.objectives,
        judge.constraints,
        settled.known(),
        judge,
        cheap=lambda genomes: look(settled.joint_genomes(genomes)),
    ) as study:
        codesign = judge.codesign(space, study)
        _optimise(
            study,
            lambda genomes: codesign.evaluate(settled.joint_genomes(genomes)),
            n_left,
            f"chips for {len(networks)} networks, seed {plan.seed}",
            plan,
        )
        trials = first_trials(study.trials(), n_left)
        joint = settled.joint_genomes(trials.genomes)
        return Found(codesign, replace(trials, genomes=joint, keys=space.keys(joint)))


def n_first(n_evaluations: int) -> int:
    """Evaluations of the first step of two."""
    return max(1, int(n_evaluations * FIRST_SHARE))


def network_front(found: Found) -> NDArray[np.int64]:
    """Rows that no other beats in log loss and multiply-accumulates, the most accurate first; useful ones if any are.

    Whether their chip keeps the caps does not count: who settles the network first does not know the chip.
    """
    values, worst = found.trials.values[:, 0], found.codesign.study.objectives[0].reference
    rows = np.flatnonzero(values < (np.inf if worst is None else worst))
    rows = rows if len(rows) else np.array([int(values.argmin())])
    points = np.column_stack([values[rows], found.trials.attributes["macs"][rows]])
    front = rows[is_non_dominated(points)]
    return front[np.lexsort((found.trials.attributes["macs"][front], values[front]))]


def settled_of(first: Found, space: CodesignSpace) -> Genomes:
    """(n, P) networks of the first step's front in the joint space, at most MOST_NETWORKS, its ends among them."""
    front = network_front(first)
    spread = np.unique(np.linspace(0, len(front) - 1, min(len(front), MOST_NETWORKS)).round().astype(np.int64))
    genomes = first.trials.genomes[front[spread], : space.n_network_blocks]
    return at_uniform_bits(space.network, genomes)


def _as_joint(trials: Trials, judge: Judge) -> Trials:
    """Trials of networks alone with the joint search's values, and whether they keep its caps."""
    energy_pj, latency_ns = trials.attributes["energy_pj"], trials.attributes["latency_ns"]
    is_feasible = np.ones(len(trials), dtype=bool)
    for constraint in judge.constraints:
        is_feasible &= trials.attributes[constraint.name] <= constraint.limit
    return replace(
        trials, values=np.column_stack([trials.values[:, 0], energy_pj, latency_ns]), is_feasible=is_feasible
    )


def _optimise(study: Study, evaluate: Callable[[Genomes], Evaluation], n_trials: int, title: str, plan: Plan) -> None:
    """As `Study.optimize`, but for the dashboard's copy of the trials, which nobody looks at here."""
    with progress_bar(title, "designs") as bar:
        bar.update(len(study), n_trials)
        while len(study) < n_trials:
            genomes = study.ask(min(plan.population_size, n_trials - len(study)))
            if len(genomes) == 0:  # the space is exhausted
                break
            study.tell(genomes, evaluate(genomes))
            bar.update(len(study), n_trials)
