"""The command line of designs that were chosen: `moco retrain`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moco.cli.options import Chip

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moco.chosen.retrained import Retrained


def retrain(
    folder: Annotated[Path, typer.Argument(help="Folder of a run.")],
    *,
    design: Annotated[
        list[str] | None,
        typer.Option(
            help="A design of the front: the beginning of its key, its rank from 1, or its role (knee); may be "
            "repeated. The two most accurate and the knee when left out."
        ),
    ] = None,
    max_energy_pj: Annotated[
        float | None,
        typer.Option(
            "--max-energy-pj", help="Take the most accurate design under this cap, on another chip where that helps."
        ),
    ] = None,
    max_latency_ns: Annotated[
        float | None,
        typer.Option(
            "--max-latency-ns", help="Take the most accurate design under this cap, on another chip where that helps."
        ),
    ] = None,
    chip: Chip = None,
    seeds: Annotated[int, typer.Option(help="Trainings of each design from each start.")] = 3,
    start: Annotated[
        str,
        typer.Option(help="First weights: scratch, or both: the supernet's too, and the better on valid counts."),
    ] = "both",
    tune: Annotated[
        int, typer.Option(help="Trainings to tune the recipe with first, on the first design; 0 keeps the recipe.")
    ] = 0,
    teacher: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Hand-made networks that soften train labels, which small networks learn more from; 0 keeps labels, "
            "the run's teacher when left out.",
        ),
    ] = None,
    monitor: Annotated[
        str | None,
        typer.Option(
            help="What the best round is best in, on valid rows: logloss, or auc, as benchmarks of baselines have it; "
            "the recipe's when left out."
        ),
    ] = None,
    plain: Annotated[
        bool, typer.Option("--plain", help="Train with plain numbers; only the scores are computed as the chip does.")
    ] = False,
) -> None:
    """Trains chosen designs to the end, each with several seeds, for their chips, and keeps the weights.

    Reads the folder of 'moco run' or 'moco search'; writes retrained/KEY-SEED-START.safetensors into it. Run again, it
    goes on where it stopped. Scores on the chip come from products computed slice by slice.
    """
    from moco.chosen.choice import most_accurate_under
    from moco.chosen.trained import valid_logloss
    from moco.runs.run import Run, require_front
    from moco.search.best_chip import WORDS, with_best_chip

    if seeds < 1 or tune < 0:
        raise ValueError(f"--seeds must be at least 1 and --tune 0 or more, got {seeds} and {tune}")
    if start not in ("both", "scratch"):
        raise ValueError(f"--start must be 'both' or 'scratch', got {start!r}")
    caps = {"energy_pj": max_energy_pj, "latency_ns": max_latency_ns}
    limits = {name: cap for name, cap in caps.items() if cap is not None}
    if any(cap <= 0 for cap in limits.values()):
        raise ValueError(f"caps must be above 0, got {', '.join(f'{name} {cap}' for name, cap in limits.items())}")
    if design and limits:
        raise ValueError("--design names designs, caps choose one: give one or the other")
    this = Run.reopen(folder)
    study = this.stored_study()
    require_front(study)
    if design:
        named = {(one := this.finals.find(study, name)).key: (name, one) for name in design}
        chosen = list(named.values())
    elif limits:
        trained = valid_logloss(this.finals.results(study))
        capped = most_accurate_under(study, this.finals.designs(study), trained, limits)
        chosen = [("most accurate under caps", capped)]
    else:
        chosen = this.finals.chosen(study)
    if chip is not None:
        others = [with_best_chip(study, one, chip) for _, one in chosen]
        chosen = [(f"{role}, {WORDS[chip]}", one) for (role, _), one in zip(chosen, others, strict=True)]
    from_supernet = start == "both" and this.whole_data.cardinalities == this.data.cardinalities
    found = this.finals.retrain(
        chosen,
        seeds,
        from_supernet=from_supernet,
        for_chip=not plain,
        n_tunings=tune,
        monitor=monitor,
        n_teachers=teacher,
    )
    typer.echo(retrained_table(found))


def retrained_table(found: Sequence[Retrained]) -> str:
    """One line a design: test scores on its chip and in plain numbers, means and standard deviations over seeds."""
    import numpy as np

    from moco.chosen.retrained import by_key
    from moco.report.retrained import mean_and_deviation

    heading = f"{'design':<10}{'role':<26}{'seeds':>6}  {'test log loss on chip':<23}{'test AUC on chip':<20}"
    lines = [f"{heading}{'in plain numbers':<18}{'energy pJ':>12}{'latency ns':>12}  start"]
    for key, ones in by_key(found).items():
        logloss, auc, plain = (
            np.array([getattr(getattr(one, part), name) for one in ones])
            for part, name in (("chip_test", "logloss"), ("chip_test", "auc"), ("test", "logloss"))
        )
        starts = ", ".join(f"{sum(one.start == start for one in ones)} {start}" for start in {o.start for o in ones})
        design = ones[0].design
        lines.append(
            f"{key[:8]:<10}{ones[0].role:<26}{len(ones):>6}  {mean_and_deviation(logloss):<23}"
            f"{mean_and_deviation(auc):<20}{plain.mean():<18.4f}{design.energy_pj:>12,.0f}"
            f"{design.latency_ns:>12,.0f}  {starts}"
        )
    return "\n".join(lines)
