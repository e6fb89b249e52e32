"""The command line of exports: `moco export` and `moco predict`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from moco.data import ClickLog
    from moco.design import Design
    from moco.export.metrics import TrainedSeed
    from moco.pruning import FoundRound, PruningSettings


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidate:
    """A design that can be exported.

    Attributes:
        design: Network and chip.
        role: Why it was chosen.
        trained: Its trainings, one a seed.
        pruning: How their networks were pruned; None for whole ones.
    """

    design: Design
    role: str
    trained: Sequence[TrainedSeed]
    pruning: PruningSettings | None = None


def export(
    folder: Annotated[Path, typer.Argument(help="Folder of a run.")],
    *,
    design: Annotated[
        str | None,
        typer.Option(
            help="The beginning of a design's key, or its role, such as knee; that of the lowest valid log loss when "
            "left out, with --pruned the one that was pruned."
        ),
    ] = None,
    pruned: Annotated[
        int | None, typer.Option(help="Round of 'moco prune' to export, from 1; the whole design when left out.")
    ] = None,
    pruning: Annotated[
        str | None,
        typer.Option(help="Which pruning the round is of, where several have it: a folder's name in FOLDER/pruned."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder to write; FOLDER/exports/ROLE when left out, for a pruned design ROLE-pruned-ROUND, or "
            "PRUNING-ROUND where one is named. An export there is replaced."
        ),
    ] = None,
) -> None:
    """Writes one trained design of a run to a folder to use and to pass on. Reads the folder of 'moco retrain', with
    --pruned that of 'moco prune' too.

    The folder holds the network as ONNX, its weights, the chip with the mapping of every operator, the preprocessing of
    raw rows, the figures of all seeds, and a predict.py that needs only NumPy and onnxruntime. Of several seeds the one
    of lowest valid log loss is exported. Nothing is written where onnxruntime and torch disagree on test rows.
    """
    from moco.export.folder import export_design
    from moco.export.runtime import require_extra

    require_extra()
    if pruned is None and pruning is not None:
        raise ValueError(f"--pruning names the pruning of one round, got {pruning!r} alone: give --pruned ROUND too")
    candidates, data, label, calibration = _trained_designs(folder)
    if pruned is None:
        chosen = chosen_candidate(candidates, design)
    else:
        chosen = pruned_candidate(folder, candidates, pruned, design, pruning)
    name = re.sub("[^a-z0-9]+", "-", chosen.role.lower()).strip("-") or chosen.design.key[:12]
    if pruned is not None:
        name = f"{name}-pruned-{pruned}" if pruning is None else f"{pruning}-{pruned}"
    target = folder / "exports" / name if out is None else out
    export_design(
        target,
        chosen.design,
        chosen.trained,
        data,
        role=chosen.role,
        label=label,
        calibration=calibration,
        pruning=chosen.pruning,
    )
    how = "" if pruned is None else f", round {pruned} of its pruning,"
    typer.echo(
        f"{target}: {chosen.role or 'design'} {chosen.design.key[:12]}{how} on {data.name}; see {target / 'README.md'}"
    )


def predict(
    folder: Annotated[Path, typer.Argument(help="Folder that 'moco export' wrote.")],
    log: Annotated[
        Path,
        typer.Argument(
            help="Raw rows: csv, tsv or txt (tab-separated), plain, .gz or .zst, or parquet, with a header."
        ),
    ],
    *,
    out: Annotated[
        Path | None, typer.Option(help="Csv file of probabilities to write; they are printed when left out.")
    ] = None,
    separator: Annotated[
        str | None, typer.Option(help="Of the cells of a csv; by the file's name when left out.")
    ] = None,
    label: Annotated[str | None, typer.Option(help="Column of the label; that of the data set when left out.")] = None,
) -> None:
    """Predicts a raw log with an exported network: one probability a row, and log loss and AUC where labels are there.

    The log's columns bear the names of the data set's fields; others are left out. Values that training did not know
    are encoded as the data set encodes unknown ones. Scores go to standard error where probabilities are printed.
    """
    from dataclasses import replace

    from moco.export.predict import read_export
    from moco.files import write_text_whole

    exported = read_export(folder)
    if out is not None and folder.resolve() in out.resolve().parents:
        raise ValueError(f"--out must lie outside the export, whose files are checked, got {out}; choose another place")
    frame = exported.read_log(log, separator)
    preprocessing = exported.preprocessing
    if label is not None:
        if label not in frame.columns:
            raise ValueError(f"{log} has no column {label!r}; columns are {', '.join(map(repr, frame.columns))}")
        preprocessing = replace(preprocessing, label=label)
    labels = preprocessing.labels(frame, str(log))
    probabilities = exported.predict(frame)
    text = "".join(f"{value:.9g}\n" for value in probabilities.tolist())
    if out is None:
        typer.echo(text, nl=False)
    else:
        write_text_whole(out, f"probability\n{text}")
        typer.echo(f"{out}: {len(probabilities):,} rows")
    if labels is not None:
        is_mixed = 0.0 < labels.mean() < 1.0
        score = exported.score(labels, probabilities) if is_mixed else None
        said = f"log loss {score.logloss:.5f}, AUC {score.auc:.5f}" if score else "no scores: all labels are equal"
        typer.echo(f"{said} of {len(labels):,} rows", err=out is None)


def chosen_candidate(candidates: Sequence[Candidate], wanted: str | None) -> Candidate:
    """The design of a role or with a key that begins so; that of the lowest valid log loss where none is named.

    Raises:
        ValueError: There is no such design, or several.
    """
    from moco.export.metrics import best_seed

    if not candidates:
        raise ValueError("the run holds no trained networks: train its chosen designs with 'moco retrain'")
    if wanted is None:
        return min(candidates, key=lambda one: best_seed(one.trained).valid.logloss)
    found = [one for one in candidates if one.role == wanted]
    found = found or [one for one in candidates if wanted and one.design.key.startswith(wanted)]
    if len(found) != 1:
        known = "; ".join(f"{one.design.key[:12]} ({one.role})" for one in candidates)
        raise ValueError(f"{len(found)} trained designs have role or key {wanted!r}, give one of: {known}")
    return found[0]


def pruned_candidate(
    folder: Path, candidates: Sequence[Candidate], number: int, wanted: str | None, pruning: str | None
) -> Candidate:
    """A round of a pruned design of a run, all its seeds.

    Args:
        folder: Of the run.
        candidates: Its trained designs.
        number: Of the round.
        wanted: Role of the design, or the beginning of its key; any when left out.
        pruning: Name of the pruning's folder; any when left out.

    Raises:
        ValueError: There is no such round, or several prunings have it.
    """
    from moco.export.metrics import TrainedSeed
    from moco.pruning import found_rounds, read_round
    from moco.pruning.found import FOLDER

    key = None if wanted is None else chosen_candidate(candidates, wanted).design.key
    rounds = chosen_rounds(found_rounds(folder / FOLDER), number, key, pruning)
    trained = []
    for one in rounds:
        stored = read_round(one.file)
        trained.append(TrainedSeed(seed=one.seed, network=stored.network, **stored.scores))
    design = rounds[0].design
    roles = {one.design.key: one.role for one in candidates}
    return Candidate(design=design, role=roles.get(design.key, ""), trained=trained, pruning=rounds[0].pruning)


def chosen_rounds(
    found: Mapping[str, Sequence[FoundRound]], number: int, key: str | None, name: str | None
) -> Sequence[FoundRound]:
    """The seeds of one round of one pruning.

    Args:
        found: Rounds by the name of their pruning.
        number: Of the round.
        key: Of the design; any when left out.
        name: Of the pruning; any when left out.

    Raises:
        ValueError: There is no such round, or several prunings have it.
    """
    if number < 1:
        raise ValueError(f"--pruned must be at least 1, got {number}: without it the whole design is exported")
    if not found:
        raise ValueError("the run holds no pruned designs: prune one with 'moco prune'")
    known = "; ".join(f"{one} (to round {rounds[-1].number})" for one, rounds in found.items())
    if name is not None and name not in found:
        raise ValueError(f"unknown pruning {name!r}, give one of: {known}")
    meant = {
        one: [this for this in rounds if this.number == number]
        for one, rounds in found.items()
        if name in (None, one) and key in (None, rounds[0].design.key)
    }
    having = {one: rounds for one, rounds in meant.items() if rounds}
    if not having:
        whose = "" if key is None and name is None else " that is meant"
        raise ValueError(f"no pruning{whose} has a round {number}; there are: {known}")
    if len(having) > 1:
        raise ValueError(f"{len(having)} prunings have a round {number}, choose one by --pruning: {'; '.join(having)}")
    return next(iter(having.values()))


def _trained_designs(folder: Path) -> tuple[list[Candidate], ClickLog, str | None, str]:
    """The retrained designs of a run, its data, the label's column and the calibration: all that is read of a run."""
    from moco.chosen.retrained import FOLDER, by_key, retrained_networks
    from moco.export.metrics import TrainedSeed
    from moco.runs.run import Run
    from moco.runs.settings import SearchSettings, stored

    this = Run.reopen(folder)
    candidates = []
    for ones in by_key(retrained_networks(folder / FOLDER)).values():
        trained = [
            TrainedSeed(
                seed=one.seed,
                network=one.network,
                valid=one.valid,
                test=one.test,
                chip_valid=one.chip_valid,
                chip_test=one.chip_test,
            )
            for one in ones
        ]
        candidates.append(Candidate(design=ones[0].design, role=ones[0].role, trained=trained))
    search, settings = stored(folder / "search.json", SearchSettings), this.settings
    calibration = SearchSettings().calibration if search is None else search.calibration
    return candidates, this.whole_data, label_column(settings.dataset, settings.options.get("schema")), calibration


def label_column(dataset: str, schema: dict[str, object] | None) -> str | None:
    """The column of the label in raw rows of a data set; None where it is not known.

    Args:
        dataset: Name of the data set.
        schema: Declared columns of an own table.
    """
    from moco.data import frappe, movielens

    if schema is not None:
        return str(schema["label"])
    known = {
        "frappe": frappe.SCHEMA.label,
        "movielens-100k": movielens.SCHEMA.label,
        "synthetic": "label",
        "table": "label",  # without a schema a table is libsvm, whose label has this name
    }
    return known.get(dataset)
