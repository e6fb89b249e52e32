"""A run from its first stage to its last, as long as it takes or within a number of hours."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from moco.data import CtrDataset
from moco.progress import console
from moco.runs.budget import SUPERNET_SHARE, TEACHER_SHARE, Budget, affordable
from moco.runs.promising import train_promising
from moco.runs.run import Run, require_budget, require_front
from moco.runs.seconds import add_seconds, seconds_of
from moco.runs.settings import RunSettings, SearchSettings, stored
from moco.runs.teacher import affordable_teachers
from moco.search.codesign import CodesignStudy
from moco.supernet.ranks import n_started


def run(
    folder: Path,
    settings: RunSettings,
    search: SearchSettings,
    n_trials: int | None = None,
    *,
    n_checked: int | None = None,
    hours: float | None = None,
) -> CodesignStudy:
    """The whole way: data, supernet, search, training from scratch, report.

    With a number of hours, a third goes to the supernet at most, a tenth to a teacher where the recipe has one, a tenth
    to networks that say how to correct the scores, a sixth to the search, and the rest to training from scratch the
    designs that promise most, each choice learning from those before, and the best of them again with further seeds.

    Args:
        folder: Of the run; made when it is not there.
        settings: Of data and supernet.
        search: Of the search.
        n_trials: Distinct designs to score; None takes the data set's recipe.
        n_checked: Networks to train from scratch to see how well the supernet ranks and to correct its scores; None
            takes the recipe's. The cheapest quarter is trained twice; where hours are given, each once, as many as
            there is time for.
        hours: For everything together, over interruptions; None for as long as it takes.

    Raises:
        ValueError: A setting is wrong, the data cannot be used, the folder holds another run, or no design met the
            constraints; the report is written all the same.
        OSError: A file cannot be read or written.
    """
    if n_trials is not None:
        require_budget(n_trials)
    if n_started() > 1:
        raise ValueError(
            "only training runs in several processes: 'torchrun -m moco train', then 'moco search', then "
            "'torchrun -m moco report'"
        )
    if hours is None:
        return _all_stages(Run(folder, settings), search, n_trials, n_checked, None)
    budget = Budget(hours, seconds_of(folder))
    try:
        asked = Run(folder, settings, keep=False)
        this = asked.begun(_affordable(asked, budget))
        if this.n_teachers > 0:
            budget = replace(budget, teacher_share=TEACHER_SHARE)
        return _all_stages(this, search, n_trials, n_checked, budget)
    finally:
        with suppress(OSError):  # what is between the stages counts too, or a run would get it anew when it goes on
            add_seconds(folder, "between", budget.total_s - budget.left_s - sum(seconds_of(folder).values()))


def _all_stages(
    this: Run, search: SearchSettings, n_trials: int | None, n_checked: int | None, budget: Budget | None
) -> CodesignStudy:
    """Every stage of a run; arguments are those of `run`."""
    console.print(f"[bold]data[/bold]      {this.data.name}: {len(this.data.train):,} train rows")
    console.print(
        f"[bold]space[/bold]     {this.space.name}, {len(this.space.blocks)} choice blocks, "
        f"{float(this.space.cardinality):.2g} designs"
    )
    if n_checked is None:
        n_checked = this.recipe.n_checked
    validation = this.checks.validate(n_checked, 1 if budget is not None else 2, budget)
    console.print(f"[bold]supernet[/bold]  {this.supernet.digest}, {this.supernet_file}")
    if validation is not None:
        console.print(validation.summary(), soft_wrap=True)
    if this.checks.correction is not None:
        console.print(this.checks.correction.summary(), soft_wrap=True)
    study = this.study(search)
    this.search(study, this.recipe.n_trials if n_trials is None else n_trials, budget)
    console.print(f"[bold]search[/bold]    {len(study.study):,} designs scored, {len(study.front())} on the front")
    if budget is None:
        this.finals.train_chosen(study)
    else:
        train_promising(this, study, budget)
    page = this.report(study)
    console.print(f"[bold]report[/bold]    {page}")
    require_front(study)
    return study


def _affordable(this: Run, budget: Budget) -> RunSettings:
    """Its settings with numbers of epochs and of teachers that fit the budget; a run that has begun keeps its own."""
    begun, settings = stored(this.folder / "run.json", RunSettings), this.settings
    if settings.n_epochs is None and begun is not None:
        settings = replace(settings, n_epochs=begun.n_epochs)
    elif settings.n_epochs is None:
        seconds = SUPERNET_SHARE * budget.total_s
        fitting = affordable(this.data, this.space, this.supernet_settings, seconds, settings.device)
        settings = replace(settings, n_epochs=fitting.epochs)
    if settings.n_teachers is None and begun is not None:
        settings = replace(settings, n_teachers=begun.n_teachers)
    elif settings.n_teachers is None and this.n_teachers > 0 and isinstance(this.whole_data, CtrDataset):
        n_teachers = affordable_teachers(this.whole_data, TEACHER_SHARE * budget.total_s)
        settings = replace(settings, n_teachers=min(this.n_teachers, n_teachers))
    return settings
