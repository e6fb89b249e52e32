"""Designs that do the most work for what they cost: where the accurate ones are likely, whatever a supernet thinks.

Products are what accuracy is bought with, so networks of the most multiply-accumulates at each energy are good ones as
a rule. A supernet is blind to some of them: interactions of fields need weights of their own before they
help, and in shared weights they look worse than they are. These designs cost no training to find, and where networks
trained from scratch correct the scores, they are there to be found.
"""

from __future__ import annotations

import numpy as np

from moco.search.better_chips import BetterChips
from moco.search.look_ahead import LookAhead
from moco.supernet.rows import evenly
from spaces import Genomes
from studies import Constraint, Evaluation, Objective, Study

N_TRIALS = 3000
"""Designs whose costs are computed; three seconds of a core."""

N_DESIGNS = 50
"""Of the front, evenly from the least energy to the most MACs."""


def most_work(look: LookAhead, seed: int = 0, known: Genomes | None = None, n_designs: int = N_DESIGNS) -> Genomes:
    """(at most n, P) genomes on the front of most MACs and least energy, with better chips.

    There are none where no design that was tried keeps the caps on a chip that loses nothing. Latency has no say: with
    it, and without known designs to begin with, as many trials find half of the work at the same energy.

    Args:
        look: Says what designs cost, and their caps.
        seed: Of the search for them.
        known: (m, P) designs to begin it with.
        n_designs: How many.
    """

    def evaluate(genomes: Genomes) -> Evaluation:
        costs = look.costs(genomes)
        result = costs.estimate
        is_lossy = ~costs.is_lossless
        capped = [getattr(result, constraint.name) for constraint in look.constraints]
        return Evaluation(
            values=np.column_stack([np.log1p(costs.macs), np.log(result.energy_pj)]),
            constraints=np.column_stack([is_lossy, *capped]),
        )

    study = Study(
        "most work",
        look.space,
        [Objective(name="log_macs", direction="max"), Objective(name="log_energy")],
        [Constraint(name="is_lossy", limit=0.0), *look.constraints],
        seed=seed,
        known=known,
    )
    study.optimize(evaluate, N_TRIALS)
    front = study.front()
    by_energy = np.argsort(front.values[:, 1], kind="stable")
    return BetterChips(look)(
        front.genomes[by_energy[evenly(len(by_energy), n_designs)]], np.random.default_rng((seed, 13))
    )
