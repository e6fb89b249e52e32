"""The command line of pruning: `moco prune`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from moco.chosen.retrained import Retrained
    from moco.pruning import PruningStart
    from moco.runs.run import Run


def prune(
    folder: Annotated[Path, typer.Argument(help="Folder of a run with retrained designs.")],
    *,
    design: Annotated[
        str | None,
        typer.Option(
            help="A retrained design: the beginning of its key, or its role (knee). The one with the lowest valid log "
            "loss on its chip when left out."
        ),
    ] = None,
    criterion: Annotated[str, typer.Option(help="Which neurons go: magnitude or learned-mask.")] = "magnitude",
    way: Annotated[str, typer.Option(help="How each round is trained: fine-tune or rewind.")] = "fine-tune",
    share: Annotated[float, typer.Option(help="Of the multiply-accumulates left, removed in each round.")] = 0.2,
    rounds: Annotated[int, typer.Option(help="Of removing and training.")] = 6,
    seeds: Annotated[int, typer.Option(help="Retrained networks of the design to prune, one seed each.")] = 3,
    plain: Annotated[
        bool, typer.Option("--plain", help="Train with plain numbers; only the scores are computed as the chip does.")
    ] = False,
) -> None:
    """Removes neurons of a retrained design, round by round, and trains what is left.

    Reads the folder of 'moco retrain'. Prints work, costs on the design's chip and accuracy after each round. Writes
    pruning.json, pruning.csv, pruning.png and every round's weights into pruned/KEY-CRITERION-WAY-SHARE. Run again,
    it goes on where it stopped; more --rounds go on pruning.
    """
    from moco.files import write_text_whole, write_whole
    from moco.progress import progress_bar
    from moco.pruning import PruningSettings, curve_csv, curve_table
    from moco.pruning import prune as prune_rounds
    from moco.pruning.figure import pruning_figure
    from moco.pruning.found import FOLDER
    from moco.report.figures import png
    from moco.runs.run import Run
    from moco.runs.seconds import timed
    from moco.runs.settings import SearchSettings, stored

    if seeds < 1:
        raise ValueError(f"--seeds must be at least 1, got {seeds}")
    pruning = PruningSettings(criterion=criterion, way=way, share=share, n_rounds=rounds, for_chip=not plain)
    this = Run.reopen(folder)
    chosen = retrained_design(this, design)[:seeds]
    pruned = chosen[0].design
    search = stored(folder / "search.json", SearchSettings) or SearchSettings()
    out = folder / FOLDER / f"{pruned.key[:12]}-{criterion}-{way}-{share:g}{'-plain' if plain else ''}"
    lessons = this.lessons  # a teacher has progress and time of its own
    with timed(folder, "pruning"), progress_bar("pruning", "rounds") as bar:
        curve = prune_rounds(
            lessons,
            pruned,
            [start_of(this, one, is_rewound=way == "rewind") for one in chosen],
            out,
            pruning,
            settings=this.recipe.final,
            calibration=search.calibration,
            device=this.settings.device,
            progress=bar.update,
        )
    write_text_whole(out / "pruning.json", curve.to_json())
    write_text_whole(out / "pruning.csv", curve_csv(curve))
    write_whole(out / "pruning.png", png(pruning_figure(curve)))
    typer.echo(curve_table(curve))
    typer.echo(out)


def retrained_design(this: Run, name: str | None) -> Sequence[Retrained]:
    """The retrained networks of one design, by seed.

    Raises:
        ValueError: No design was retrained, or none, or more than one, is meant.
    """
    import numpy as np

    from moco.chosen.retrained import FOLDER, by_key, retrained_networks

    designs = by_key(retrained_networks(this.folder / FOLDER))
    if not designs:
        raise ValueError(f"{this.folder} holds no retrained designs: make them with 'moco retrain {this.folder}'")
    if name is None:
        return min(designs.values(), key=lambda ones: float(np.mean([one.chip_valid.logloss for one in ones])))
    meant = [ones for key, ones in designs.items() if key.startswith(name) or any(one.role == name for one in ones)]
    if len(meant) != 1:
        there = ", ".join(f"{key[:8]} ({ones[0].role})" for key, ones in designs.items())
        raise ValueError(f"{len(meant)} retrained designs are meant by {name!r}; there are {there}")
    return meant[0]


def start_of(this: Run, one: Retrained, *, is_rewound: bool) -> PruningStart:
    """What a retrained network is pruned from; its first weights where it is rewound to them."""
    from moco.chosen.retrained import SUPERNET
    from moco.pruning import PruningStart

    first = None
    if is_rewound and one.start.startswith(SUPERNET):
        first = this.supernet.supernet.cut_out(one.design.architecture)
    return PruningStart(one.seed, one.network, first)
