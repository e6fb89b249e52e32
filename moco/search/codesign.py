"""The co-design study: network and chip in one genome, scored by the supernet, costed by the hardware model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moco.costs.batch import design_costs
from moco.costs.lowering import pim_config
from moco.data import ClickLog
from moco.design import Design
from moco.oracle.correction import Correction
from moco.oracle.features import network_features
from moco.oracle.oracle import N_EXACT_ROWS, Oracle, Scores
from moco.recipes import recipe_for
from moco.search.better_chips import improver
from moco.search.known import first_population, known_designs
from moco.search.look_ahead import LOOKS_AHEAD, LookAhead
from moco.search.objectives import caps, objectives
from moco.search.summaries import design_texts, summaries
from moco.supernet import TrainedSupernet
from pimmodel import Calibration, PimConfig, find_calibration
from spaces import (
    HARDWARE_SPACE,
    WEIGHT_BITS,
    ArchitectureBatch,
    Choice,
    CodesignSpace,
    Genomes,
    codesign_of,
    nasrec_space,
)
from studies import Evaluation, Progress, Study, Trials


def codesign_space(
    data: ClickLog,
    kind: str | None = None,
    *,
    n_blocks: int = 7,
    dense_dims: Sequence[int] | None = None,
    sparse_dims: Sequence[int] | None = None,
    weight_bits: Sequence[int] = WEIGHT_BITS,
    embedding_dim: int = 16,
    hardware: Mapping[str, Sequence[Choice]] | None = None,
) -> CodesignSpace:
    """The joint space of networks for this data and chips to run them.

    Args:
        data: Its numbers of fields shape the networks.
        kind: "nasrec-full", "nasrec-small" or "nasrec-flat"; "nasrec-flat" for data without dense fields and
            "nasrec-full" for others when left out.
        n_blocks: Blocks of every network.
        dense_dims: Widths to choose from; by default those of the data set's recipe.
        sparse_dims: Numbers of rows to choose from; likewise.
        weight_bits: Weight bits of each operator to choose from.
        embedding_dim: Width of the embeddings.
        hardware: Choices to replace in the hardware space, such as {"crossbar_size": (64, 128)}. Unless stated,
            weights are encoded as ISAAC does, which costs less than pairs, and operators run as a pipeline, which
            takes less time.

    Raises:
        ValueError: An argument is out of its range; the message names it.
    """
    recipe = recipe_for(data)
    network = nasrec_space(
        kind or ("nasrec-full" if data.dense else "nasrec-flat"),
        n_dense=len(data.dense),
        n_sparse=len(data.categorical),
        n_blocks=n_blocks,
        dense_dims=recipe.dense_dims if dense_dims is None else dense_dims,
        sparse_dims=recipe.sparse_dims if sparse_dims is None else sparse_dims,
        weight_bits=weight_bits,
        embedding_dim=embedding_dim,
    )
    settled: dict[str, Sequence[Choice]] = {
        "weight_encoding": ("isaac",),
        "execution": ("pipelined",),
    }
    return codesign_of(network, HARDWARE_SPACE.with_choices({**settled, **(hardware or {})}))


class CodesignStudy:
    """A study of co-designs. Made by `create_study`; the same storage and name go on where they stopped.

    Attributes:
        data: The click log.
        space: What is chosen.
        study: The study engine and its stored history.
        calibration: Of the hardware model.
        cardinalities: (F,) rows of the embedding tables on the chip.
        correction: Of the log loss, learned from networks trained from scratch; None leaves scores as they are.
    """

    def __init__(
        self,
        data: ClickLog,
        space: CodesignSpace,
        oracle: Oracle,
        study: Study,
        calibration: Calibration,
        cardinalities: tuple[int, ...],
        correction: Correction | None = None,
    ) -> None:
        self.data = data
        self.cardinalities = cardinalities
        self.space = space
        self.study = study
        self.calibration = calibration
        self.correction = correction
        self._oracle = oracle

    def evaluate(self, genomes: Genomes, progress: Callable[[int], None] | None = None) -> Evaluation:
        """Objectives, constrained quantities and attributes of (B, P) genomes, each by its canonical form.

        `progress` is called now and then with how many of them are scored.
        """
        genomes = self.space.canonical(genomes)
        networks = self.space.networks(genomes)
        costs = design_costs(self.data, self.space, genomes, self.calibration, self.cardinalities)
        scores = self._oracle.score(
            networks, self.space.hardware_values(genomes)["table_bits"], costs.configs, progress=progress
        )
        is_plain = costs.is_lossless
        shift = self._shift(networks, costs.configs, np.where(is_plain, scores.logloss, np.nan))
        result = costs.estimate
        capped = [getattr(result, constraint.name) for constraint in self.study.constraints]
        return Evaluation(
            values=np.column_stack([scores.logloss + shift, result.energy_pj, result.latency_ns]),
            constraints=np.column_stack(capped) if capped else None,
            attributes={
                "auc": scores.auc,
                "logloss_se": scores.logloss_se,
                "area_mm2": result.area_mm2,
                "power_mw": result.power_mw,
                "period_ns": result.period_ns,
                "macs": costs.macs,
                "n_parameters": costs.n_parameters,
                "adc_shortfall_bits": costs.adc_shortfall_bits,
                "energy_by_component_pj": result.energy_by_component_pj,
            },
        )

    def optimize(
        self,
        n_trials: int,
        progress: Callable[[int, str], None] | None = None,
        is_over: Callable[[], bool] | None = None,
    ) -> None:
        """Searches until the study holds n_trials distinct designs; goes on from what is stored.

        Args:
            n_trials: In the whole study.
            progress: Called with the number of scored designs and a note on the front.
            is_over: Asked before each generation; the search ends when it says so.
        """
        if progress is None:
            self.study.optimize(self.evaluate, n_trials, is_over=is_over)
            return
        note = ""

        def evaluate(genomes: Genomes) -> Evaluation:
            return self.evaluate(genomes, lambda n_scored: progress(len(self.study) + n_scored, note))

        def show(state: Progress) -> None:
            nonlocal note
            note = f"front {state.n_front}, hypervolume {state.hypervolume:.4g}"
            progress(state.n_trials, note)

        self.study.optimize(evaluate, n_trials, progress=show, is_over=is_over)

    def add(self, genomes: Genomes, progress: Callable[[int, int], None] | None = None) -> None:
        """Scores (B, P) genomes of one's own as a further generation; those that the study holds are left out.

        `progress` is called now and then with how many of them are scored, and how many there are to score.
        """

        def evaluate(fresh: Genomes) -> Evaluation:
            return self.evaluate(fresh, None if progress is None else lambda n_scored: progress(n_scored, len(fresh)))

        self.study.add(evaluate, genomes)

    def exact(self, designs: Sequence[Design], *, n_rows: int = N_EXACT_ROWS) -> Scores:
        """Scores of the designs with every crossbar's product computed slice by slice, on the first valid rows."""
        if not designs:
            return Scores.of([])
        networks = ArchitectureBatch.of([design.architecture for design in designs])
        chips = PimConfig.concatenate([design.hardware for design in designs])
        table_bits = [int(design.hardware.table_bits) for design in designs]
        found = self._oracle.exact(networks, table_bits, chips, n_rows=n_rows)
        return replace(found, logloss=found.logloss + self._shift(networks, chips))

    def features(
        self, networks: ArchitectureBatch, stored: ArrayLike | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(B,) supernet scores of B networks in plain numbers, and (B, K) features: what a correction reads.

        Args:
            networks: B of them.
            stored: (B,) log losses that the study holds of them on chips that lose nothing, NaN where there is none:
                so they need not be scored again.
        """
        features = network_features(networks, self.space.network.n_dense, self.space.network.n_sparse)
        plain = np.full(len(networks), np.nan) if stored is None else np.array(stored, dtype=np.float64)
        if self.correction is not None:
            plain = self.correction.score_of(plain, features)
        return self._scored(networks, plain), features

    def _shift(
        self, networks: ArchitectureBatch, chips: PimConfig, plain: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """(B,) what the correction adds to log losses: the same on all chips, and what few bits cost beyond scores.

        Args:
            networks: B of them.
            chips: Theirs.
            plain: (B,) their scores in plain numbers where known, NaN elsewhere.
        """
        if self.correction is None:
            return np.zeros(len(networks))
        plain = self._scored(networks, np.full(len(networks), np.nan) if plain is None else plain)
        features = network_features(networks, self.space.network.n_dense, self.space.network.n_sparse)
        lost = self.correction.few_bits_loss(chips.activation_bits)
        return self.correction.predict(plain, features)[0] - plain + lost

    def _scored(self, networks: ArchitectureBatch, plain: NDArray[np.float64]) -> NDArray[np.float64]:
        """(B,) supernet scores of B networks in plain numbers, of which (B,) some are known and others NaN."""
        unknown = np.flatnonzero(np.isnan(plain))
        if len(unknown):
            plain[unknown] = self._oracle.score(networks.take(unknown)).logloss
        return plain

    def front(self) -> list[Design]:
        """Feasible designs that no other beats in log loss, energy and latency; lowest log loss first.

        A design that predicts no better than the mean label is of no use, however little it costs, and left out.
        """
        trials, worst = self.study.front(), self.study.objectives[0].reference
        return self.designs(trials if worst is None else trials.select(trials.values[:, 0] < worst))

    def why_empty(self) -> str:
        """Why the front is empty: the limit that no design meets, or scores of no use."""
        if len(self.study.front()) == 0:
            return f"{self.study.summary()} Raise that limit, or search longer."
        return (
            f"None of {len(self.study):,} designs predicts better than the mean label, whose log loss is "
            f"{self.study.objectives[0].reference:.4f}: train the supernet longer (--epochs), or search longer."
        )

    def designs(self, trials: Trials) -> list[Design]:
        """The stored trials as designs."""
        if len(trials) == 0:
            return []
        networks = self.space.networks(trials.genomes)
        configs = pim_config(self.space.hardware_values(trials.genomes))
        attributes = trials.attributes
        return [
            Design(
                key=trials.keys[row],
                architecture=networks[row],
                hardware=configs.take(row),
                n_dense=len(self.data.dense),
                cardinalities=self.cardinalities,
                logloss=float(trials.values[row, 0]),
                auc=float(attributes["auc"][row]),
                energy_pj=float(trials.values[row, 1]),
                latency_ns=float(trials.values[row, 2]),
                area_mm2=float(attributes["area_mm2"][row]),
                power_mw=float(attributes["power_mw"][row]),
                period_ns=float(attributes["period_ns"][row]),
                macs=int(attributes["macs"][row]),
                n_parameters=int(attributes["n_parameters"][row]),
                generation=int(trials.generation[row]),
            )
            for row in range(len(trials))
        ]


def create_study(
    name: str,
    data: ClickLog,
    space: CodesignSpace,
    supernet: TrainedSupernet,
    *,
    storage: str | Path | None = None,
    seed: int = 0,
    engine: str = LOOKS_AHEAD,
    population_size: int = 50,
    calibration: str | Calibration = "isaac32",
    n_jobs: int | None = None,
    cardinalities: Sequence[int] | None = None,
    correction: Correction | None = None,
    known_networks: Genomes | None = None,
    improves_chips: bool = True,
    max_energy_pj: float | None = None,
    max_latency_ns: float | None = None,
    max_area_mm2: float | None = None,
    max_power_mw: float | None = None,
) -> CodesignStudy:
    """Opens or creates a study of co-designs that minimises log loss, energy and latency.

    Args:
        name: Of the study in its file.
        data: The click log.
        space: From `codesign_space`.
        supernet: From `train_supernet` with the same data and the space's networks.
        storage: SQLite file; None keeps the study in memory.
        seed: Fixes the search.
        engine: "surrogate", which predicts log loss and computes costs before it proposes a design; "nsga2", another of
            pymoo's, "random", or Optuna's as "optuna:tpe".
        population_size: Designs of a generation.
        calibration: Of the hardware model: a name, one at another node such as "isaac32@22nm", a file, or your own.
        n_jobs: Processes that score; by default one a core. Results do not depend on it.
        cardinalities: (F,) rows of the embedding tables on the chip; those of the data when left out. A search on
            capped tables or on a sample of a log costs the full ones.
        correction: Of the log loss, learned from networks trained from scratch on this data; None uses supernet scores
            as they are.
        known_networks: (n, P) networks for the first population, beside the hand-made ones and those that do the most
            work for what they cost (`moco.search.most_work`).
        improves_chips: Whether networks that an engine other than "surrogate" proposes get the best of many chips
            first; see `moco.search.better_chips`. Without, the first population is what people drew by hand alone.
        max_energy_pj: Cap on the energy of one inference; likewise the others.
        max_latency_ns: Cap on latency.
        max_area_mm2: Cap on chip area.
        max_power_mw: Cap on power.

    Raises:
        ValueError: A cap is not positive, or the stored study was made with other data, space, model or settings.
    """
    given = {
        "energy_pj": max_energy_pj,
        "latency_ns": max_latency_ns,
        "area_mm2": max_area_mm2,
        "power_mw": max_power_mw,
    }
    constraints = caps(given)
    on_chip = tuple(data.cardinalities if cardinalities is None else cardinalities)
    if len(on_chip) != len(data.categorical) or min(on_chip, default=1) < 1:
        raise ValueError(
            f"cardinalities must name the table rows of each of the {len(data.categorical)} categorical fields of data "
            f"{data.name!r}, got {on_chip}"
        )
    oracle = Oracle(supernet, data, n_jobs=n_jobs)
    model = find_calibration(calibration)  # once: its file may change while the search goes on
    look = LookAhead(data, space, model, on_chip, tuple(constraints))
    known = partial(known_designs, space, known_networks)
    if improves_chips:
        known = partial(first_population, look, seed, known_networks)
    study = Study(
        name,
        space,
        objectives(data, space, model, on_chip),
        constraints,
        storage=storage,
        seed=seed,
        engine=engine,
        population_size=population_size,
        known=known,
        improve=improver(engine, look) if improves_chips else None,
        cheap=look,
        digests={
            "data": data.digest,
            "supernet": oracle.digest,
            "correction": "none" if correction is None else correction.digest,
            "hardware model": model.digest,
            "table rows": hashlib.sha256(json.dumps(on_chip).encode()).hexdigest(),
        },
        summarise=lambda genomes: summaries(data, space, genomes),
        describe=lambda genomes: design_texts(data, space, genomes, on_chip),
    )
    return CodesignStudy(data, space, oracle, study, model, on_chip, correction)
