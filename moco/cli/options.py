"""Options that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Folder = Annotated[Path, typer.Argument(help="Folder of a run.")]
Trials = Annotated[int | None, typer.Option(help="Distinct designs to score; the data set's recipe when left out.")]
Population = Annotated[int, typer.Option(help="Designs of a generation.")]
CalibrationName = Annotated[
    str,
    typer.Option(
        "--calibration",
        help="Of the hardware model: a name of 'moco calibrations', at another node as in isaac32@22nm, or a .toml or "
        ".json file of your own.",
    ),
]
MaxEnergy = Annotated[float | None, typer.Option("--max-energy-pj", help="Cap on the energy of one inference.")]
MaxLatency = Annotated[float | None, typer.Option("--max-latency-ns", help="Cap on the latency of one inference.")]
MaxArea = Annotated[float | None, typer.Option("--max-area-mm2", help="Cap on chip area.")]
MaxPower = Annotated[float | None, typer.Option("--max-power-mw", help="Cap on power at full rate.")]

Chip = Annotated[
    str | None,
    typer.Option(
        help="energy, latency, area or balance, which is all three: put the network on the chip that is best in that, "
        "where its own loses nothing; it keeps its own when left out."
    ),
]


def calibration_path(name_or_file: str) -> str:
    """Files by their whole path, so that a run goes on from any folder."""
    return str(Path(name_or_file).expanduser().resolve()) if Path(name_or_file).is_file() else name_or_file
