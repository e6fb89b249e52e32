"""Networks that a run trains from scratch before it searches: they judge its supernet and correct its scores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from moco.chosen.trained import n_trained_at_once
from moco.data import ClickLog
from moco.files import read_kept, write_text_whole
from moco.oracle.correction import Correction
from moco.oracle.features import network_features
from moco.oracle.oracle import Oracle
from moco.oracle.spread import spread_networks, typical_macs
from moco.oracle.truth import LEAST_NETWORKS, TRUTH, Truth, train_truth
from moco.oracle.validation import Validation, validate
from moco.progress import progress_bar
from moco.recipes import N_CHECKED
from moco.runs.budget import Budget
from moco.runs.meanwhile import meanwhile
from moco.runs.seconds import timed
from moco.training.pace import training_time, without_the_longest
from spaces import ArchitectureBatch, Genomes

if TYPE_CHECKING:
    from moco.runs.run import Run

REPEATED_PART = 4
"""One in so many networks that judge a supernet is trained with a second seed: the cheapest, for the time it takes."""


class Checks:
    """The networks that judge and correct the supernet of a run, kept in its folder.

    Args:
        run: Whose supernet.
    """

    def __init__(self, run: Run) -> None:
        self._run = run

    @property
    def truth(self) -> Truth | None:
        """What networks reached from scratch so far, those of use for this data; None where none was trained."""
        found = Truth.read(self._run.folder, TRUTH)
        return None if found is None else found.useful(self._run.data)

    @property
    def _truth_log(self) -> ClickLog:
        """What a truth's networks are trained on: the rows that the search sees, as final trainings see them."""
        return self._run.lessons if self._run.whole_data is self._run.data else self._run.data

    def validate(self, n_networks: int, n_seeds: int = 2, budget: Budget | None = None) -> Validation | None:
        """Rank fidelity of the supernet on n networks spread over cost, trained from scratch; None where n is 0.

        Large networks take nearly all of the time. So none is larger than a typical network of the space, and the
        cheapest tell how seeds differ.

        Args:
            n_networks: How many.
            n_seeds: Trainings of each of the cheapest quarter; the others are trained once.
            budget: Of time: those networks must do, if they are enough, whose trainings end within its share for them.

        Raises:
            ValueError: There are fewer than 3 networks.
        """
        stored = self.stored_validation()
        if n_networks == 0 or (stored is not None and stored.n_networks >= n_networks):
            return stored
        if n_networks < LEAST_NETWORKS:
            raise ValueError(f"a rank needs at least {LEAST_NETWORKS} networks, got {n_networks}; 0 checks nothing")
        networks = self._spread(n_networks)
        if budget is not None:
            space = self._run.space.network
            networks = networks[without_the_longest(training_time(space, space.networks(networks)))]
        seeds = range(self._run.settings.seed, self._run.settings.seed + n_seeds)
        truth_log = self._truth_log  # before the other process begins, which is given it
        train = partial(
            self._train_truth,
            networks,
            seeds,
            n_repeated=max(len(networks) // REPEATED_PART, 1),
            largest_first=budget is None,
            seconds_left=None if budget is None else lambda: budget.truth_left_s,
        )
        with self._meanwhile(train):
            supernet = self._run.supernet
        if budget is not None:
            train = partial(train, seconds_left=budget.truth_countdown())
        with timed(self._run.folder, "rank fidelity"), progress_bar("checking ranks", "trainings") as bar:
            truth = train(progress=bar.update)
            if len(truth.useful(self._run.data).genomes) < LEAST_NETWORKS:
                return None
            found = validate(self._run.data, supernet, truth, lessons=truth_log)
        write_text_whole(self._run.folder / "validation.json", found.to_json())
        return found

    @contextmanager
    def _meanwhile(self, work: Callable[..., object]) -> Iterator[None]:
        """Lets the cores that a supernet leaves idle do work while it is trained, if it is not trained yet."""
        n_idle = n_trained_at_once(self._run.settings.device) - self._run.supernet_settings.n_threads
        if n_idle < 1 or self._run.is_trained:
            yield
            return
        with meanwhile(partial(work, n_jobs=n_idle)):
            yield

    def _train_truth(
        self,
        networks: Genomes,
        seeds: Sequence[int],
        is_over: Callable[[], bool] | None = None,
        *,
        n_repeated: int,
        largest_first: bool,
        n_jobs: int | None = None,
        progress: Callable[[int, int], None] | None = None,
        seconds_left: Callable[[], float] | None = None,
    ) -> Truth:
        return train_truth(
            self._truth_log,
            self._run.space.network,
            networks,
            seeds,
            self._run.folder,
            TRUTH,
            settings=self._run.recipe.final,
            n_repeated=n_repeated,
            largest_first=largest_first,
            n_jobs=n_jobs or n_trained_at_once(self._run.settings.device),
            device=self._run.settings.device,
            progress=progress,
            is_over=is_over,
            seconds_left=seconds_left,
        )

    @cached_property
    def correction(self) -> Correction | None:
        """How scores err: what is known beforehand, and what networks trained from scratch teach beyond that.

        It is learned when it is first asked for, and kept once there is a search, so that no search changes what it
        goes by. None where networks are too few and the recipe tunes no layers: on such logs nothing is known.
        """
        file, is_searched = self._run.folder / "correction.json", (self._run.folder / "search.json").exists()
        found = read_kept(file, Correction.from_json)
        if found is None or (found.n_networks == 0 and not is_searched):
            found = self._learned_correction()
            if found is not None:
                write_text_whole(file, found.to_json())
        return found

    def _learned_correction(self) -> Correction | None:
        truth, space = self.truth, self._run.space.network
        if truth is not None and len(truth.genomes) >= LEAST_NETWORKS:
            networks = space.networks(truth.genomes)
            features = network_features(networks, space.n_dense, space.n_sparse)
            return Correction.fit(self._scores(networks), features, np.nanmean(truth.figures(), axis=1))
        if self._run.recipe.n_tuning_steps == 0:
            return None
        return Correction.unlearned(float(self._scores(space.networks(self._spread(N_CHECKED))).std()))

    def _scores(self, networks: ArchitectureBatch) -> NDArray[np.float64]:
        """(B,) log losses of B networks in plain numbers, as they are."""
        return Oracle(self._run.supernet, self._run.data).score(networks).logloss

    def _spread(self, n_networks: int) -> Genomes:
        """So many networks, evenly from the cheapest to a typical one."""
        space = self._run.space.network
        return spread_networks(space, n_networks, self._run.settings.seed, typical_macs(space))

    @property
    def trusted_correction(self) -> Correction | None:
        """What searches go by: the correction where it predicts better than the score alone, else what of it is known
        beforehand; None where nothing is."""
        return None if self.correction is None else self.correction.trusted

    def stored_validation(self) -> Validation | None:
        """Rank fidelity as measured before, of this supernet; None where it was not."""
        stored = read_kept(self._run.folder / "validation.json", Validation.from_json)
        return stored if stored is not None and stored.supernet == self._run.supernet.digest else None
