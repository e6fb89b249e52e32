"""One of Optuna's samplers that proposes whole designs, none of which is in the study yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, IntDistribution
from optuna.samplers import BaseSampler, NSGAIIISampler, NSGAIISampler
from optuna.trial import FrozenTrial, Trial, TrialState

from spaces.space import Space
from studies.engines.optuna import ASKS_PER_DESIGN
from studies.engines.random import random_designs
from studies.exchange.optuna_export import distribution_of
from studies.exchange.table import plain_choices
from studies.shared.places import Places
from studies.study import Improve

GIVEN = "fixed_params"
"""System attribute in which Optuna keeps the parameters of an enqueued trial."""


class Parameters:
    """Genomes as Optuna's parameters: one a choice block, in the form of `export_optuna`.

    Attributes:
        distributions: By block.
    """

    def __init__(self, space: Space) -> None:
        self._plain = {block.name: plain_choices(block) for block in space.blocks}
        self.distributions = {block.name: distribution_of(block, self._plain[block.name]) for block in space.blocks}

    def of(self, genome: NDArray[np.int64]) -> dict[str, Any]:
        """The parameters of a (P,) genome."""
        return {
            name: choices[index] for (name, choices), index in zip(self._plain.items(), genome.tolist(), strict=True)
        }

    def genome(self, params: dict[str, Any]) -> NDArray[np.int64]:
        """(1, P) genome of all the parameters."""
        return np.array([[choices.index(params[name]) for name, choices in self._plain.items()]], dtype=np.int64)

    def suggested(self, trial: Trial) -> NDArray[np.int64]:
        """(1, P) genome of a trial: what it was given, and what the study's sampler proposes for the rest."""
        return self.genome({name: _suggested(trial, name, of) for name, of in self.distributions.items()})


def _suggested(trial: Trial, name: str, distribution: BaseDistribution) -> Any:
    if isinstance(distribution, IntDistribution):
        return trial.suggest_int(name, distribution.low, distribution.high, step=distribution.step)
    assert isinstance(distribution, optuna.distributions.CategoricalDistribution)
    return trial.suggest_categorical(name, distribution.choices)


class DesignSampler(BaseSampler):
    """Asks a sampler for designs until one is new to the study, then draws at random.

    Attributes:
        is_exhausted: Whether not even random draws found a new design; then the last proposal is a repeat.
    """

    def __init__(
        self,
        inner: BaseSampler,
        space: Space,
        parameters: Parameters,
        rng: np.random.Generator,
        improve: Improve | None = None,
    ) -> None:
        self.is_exhausted = False
        self._inner = inner
        self._space = space
        self._parameters = parameters
        self._rng = rng
        self._improve = improve

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Every parameter that has a choice: they are proposed together."""
        return {name: of for name, of in self._parameters.distributions.items() if not of.single()}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The parameters of a design in its canonical form, as samplers are told of it later."""
        places = Places(study.get_trials(deepcopy=False))
        for _ in range(ASKS_PER_DESIGN):
            proposed = self._space.canonical(self._parameters.genome(self._proposal(study, trial)))
            if self._improve is not None:
                proposed = self._space.canonical(self._improve(proposed, self._rng))
            if not places.holds(self._space.keys(proposed)[0]):
                return self._parameters.of(proposed[0])

        def is_fresh(genomes: NDArray[np.int64]) -> NDArray[np.bool_]:
            keys = self._space.keys(genomes)
            return np.array([not places.holds(key) and key not in keys[:row] for row, key in enumerate(keys)], bool)

        drawn = random_designs(self._space, 1, self._rng, is_fresh, taken=proposed[:0])
        self.is_exhausted = len(drawn) == 0
        return self._parameters.of((proposed if self.is_exhausted else drawn)[0])

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Of parameters that are not proposed together: there are none."""
        return self._inner.sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Tells the sampler; a genetic one takes designs that were given into its population too."""
        self._inner.before_trial(study, trial)
        if GIVEN in trial.system_attrs and isinstance(self._inner, NSGAIISampler | NSGAIIISampler):
            self._inner.get_trial_generation(study, trial)

    def after_trial(
        self, study: optuna.Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        """Tells the sampler."""
        self._inner.after_trial(study, trial, state, values)

    def _proposal(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, Any]:
        together = self._inner.infer_relative_search_space(study, trial)
        params = self._inner.sample_relative(study, trial, together)
        return {
            name: params[name] if name in params else self._inner.sample_independent(study, trial, name, of)
            for name, of in self._parameters.distributions.items()
        }
