"""The whole comparison of a run, and how it is made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from moco.baselines import read_results
from moco.chosen.retrained import FOLDER as RETRAINED
from moco.chosen.retrained import retrained_networks
from moco.compare.accuracy import AgainstBest, Trained, against_best, trained_baselines, trained_designs
from moco.compare.figures import every_calibration
from moco.compare.fronts import FrontGain
from moco.compare.matches import Candidates, Match, against_baselines
from moco.compare.ways import Searched, Volumes, Ways, compare_searches
from moco.runs.run import Run, require_front
from moco.search.codesign import CodesignStudy
from pimmodel import Calibration


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What a comparison found.

    Attributes:
        about: Data, space, supernet, digests, seeds and numbers of evaluations, by name.
        calibrations: Of the hardware model, the search's first.
        designs: Retrained ones; baselines likewise.
        differences: Every retrained design less the best baseline.
        matches: Ratios against every reference.
        volumes: One a seed.
        fronts: Whole fronts against each other, both ways.
        missing: What was left out, and what would bring it in.
    """

    about: Mapping[str, str]
    calibrations: Sequence[str]
    designs: Sequence[Trained] = ()
    baselines: Sequence[Trained] = ()
    differences: Sequence[AgainstBest] = ()
    matches: Sequence[Match] = ()
    volumes: Sequence[Volumes] = ()
    fronts: Sequence[FrontGain] = ()
    missing: Sequence[str] = ()


def compare(
    run: Run,
    baselines: Path | None = None,
    *,
    n_evaluations: int | None = None,
    n_seeds: int = 1,
    only: str | None = None,
    n_retrained: int = 0,
    n_jobs: int | None = None,
) -> Comparison:
    """Compares a run's designs with baselines, and its search with searches in steps.

    Args:
        run: Searched already.
        baselines: Results of `moco baselines`; by default those in the run's folder.
        n_evaluations: Of each way of searching; as many as the run's search holds when left out.
        n_seeds: Searches of each way, with seeds from the run's own on.
        only: "accuracy" or "codesign" leaves the other part out.
        n_retrained: Trainings of each reference of other searches, to compare test log loss beside scores.
        n_jobs: Processes that score or train; one a core when left out.

    Raises:
        ValueError: Something is missing, of other data, or out of range; the message says what to do.
    """
    if only not in (None, "accuracy", "codesign"):
        raise ValueError(f"--only must be 'accuracy' or 'codesign', got {only!r}")
    if n_seeds < 1 or n_retrained < 0:
        raise ValueError(f"--seeds must be at least 1 and --retrain 0 or more, got {n_seeds} and {n_retrained}")
    study = run.stored_study()
    require_front(study)
    if n_evaluations is None:
        n_evaluations = len(study.study)
    if not 2 <= n_evaluations <= len(study.study):
        raise ValueError(
            f"--evaluations must be between 2 and the {len(study.study)} that the run's search holds, got "
            f"{n_evaluations}: ask for fewer, or search longer with 'moco search {run.folder}'"
        )
    calibrations = every_calibration(study.calibration)
    file = baselines or baselines_file(run.folder)
    designs, rivals, missing = _trained(run, file, study.calibration, is_needed=only != "codesign")
    if n_retrained > 0 and not designs:
        raise ValueError(
            f"--retrain compares references with retrained designs: retrain some with 'moco retrain {run.folder}'"
        )
    trained = Candidates.of_trained(designs, calibrations, study) if designs and (rivals or n_retrained > 0) else None
    matches = [] if trained is None else against_baselines(trained, rivals, calibrations)
    about = _about(run, study, calibrations)
    if rivals:
        about["baselines"] = f"{file}, seeds {_listed(sorted({seed for one in rivals for seed in one.seeds}))}"
    if designs:
        about["retrained designs"] = f"seeds {_listed(sorted({seed for one in designs for seed in one.seeds}))}"
    searched = Searched()
    if only != "accuracy":
        about["evaluations"] = f"{n_evaluations:,} of each way of searching"
        about["search seeds"] = _listed(range(run.settings.seed, run.settings.seed + n_seeds))
        ways = Ways(
            calibrations=calibrations,
            n_evaluations=n_evaluations,
            n_seeds=n_seeds,
            n_retrained=n_retrained,
            n_jobs=n_jobs,
        )
        searched = compare_searches(run, study, trained if n_retrained > 0 else None, ways)
    return Comparison(
        about=about,
        calibrations=list(calibrations),
        designs=designs,
        baselines=rivals,
        differences=against_best(designs, rivals) if designs and rivals else [],
        matches=[*matches, *searched.matches],
        volumes=searched.volumes,
        fronts=searched.fronts,
        missing=missing,
    )


def baselines_file(folder: Path) -> Path:
    """Where a run's folder has results of baselines, or would have them."""
    inside, beside = folder / "baselines" / "baselines.json", folder / "baselines.json"
    return beside if beside.exists() and not inside.exists() else inside


def _trained(
    run: Run, file: Path, calibration: Calibration, *, is_needed: bool
) -> tuple[list[Trained], list[Trained], list[str]]:
    """Retrained designs and baselines, and what is missing of them; ValueError where that is needed."""
    results, retrained = read_results(file, run.whole_data), retrained_networks(run.folder / RETRAINED)
    missing = []
    if not results:
        command = f"moco baselines {run.settings.dataset} --out {run.folder / 'baselines'}"
        missing.append(f"{file} holds no baselines: train baselines with '{command}', or name their file")
    if not retrained:
        missing.append(f"{run.folder} holds no retrained designs: retrain designs with 'moco retrain {run.folder}'")
    if missing and is_needed:
        raise ValueError("; ".join([*missing, "'--only codesign' compares the searches alone"]))
    return (
        trained_designs(retrained, calibration),
        trained_baselines(results, run.whole_data, calibration),
        missing,
    )


def _about(run: Run, study: CodesignStudy, calibrations: Mapping[str, Calibration]) -> dict[str, str]:
    data, whole = run.data, run.whole_data
    about = {
        "data": f"{whole.name}, digest {whole.digest}",
        "space": f"{run.space.name}, digest {run.space.digest}",
        "supernet": f"digest {run.supernet.digest}, seed {run.settings.seed}",
        "correction": "none" if study.correction is None else f"digest {study.correction.digest}",
        "hardware model": _listed(f"{name} {one.digest}" for name, one in calibrations.items()),
        "search": f"{len(study.study):,} evaluations, seed {run.settings.seed}",
    }
    if data is not whole:
        about["data of the search"] = f"{data.name}, digest {data.digest}"
    return about


def _listed(values: Iterable[object]) -> str:
    return ", ".join(map(str, values))
