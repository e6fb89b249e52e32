"""The commands that ask the hardware model alone: `moco cost`, `moco calibrations`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from moco.cli.options import CalibrationName


def cost(
    design: Annotated[Path, typer.Argument(help="Design file: a design of 'moco front --design', or a network alone.")],
    *,
    hardware: Annotated[
        Path | None, typer.Option(help="Chip as JSON; the design's own or ISAAC's when left out.")
    ] = None,
    calibration: CalibrationName = "isaac32",
    dense: Annotated[int | None, typer.Option(help="Dense fields of the data, where the file does not say.")] = None,
    table_rows: Annotated[
        str | None,
        typer.Option(help="Table rows of each categorical field, separated by commas, where the file does not say."),
    ] = None,
    all_operators: Annotated[
        bool, typer.Option("--all", help="Print every operator in the network's order, not only those of most energy.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs in place of text.")] = False,
    table: Annotated[
        Path | None, typer.Option("--csv", help="Write one row an operator, with every component, to this file.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Write a picture of the breakdown to this file: .png, .svg or .pdf.")
    ] = None,
) -> None:
    """Prints energy, latency, area and power of one design, by component and by operator, and what stands out.

    TOPS/W and inferences per s are at full rate; a multiply-accumulate counts as two operations. Remarks say what is
    wrong or wasted, and what helps: an ADC that loses or idles bits, empty cells, tables that do not fit, cells that
    wear out, one operator that all others wait for.
    """
    from moco.costs.breakdown import cost_csv, cost_json, cost_sheet, cost_text
    from moco.design import read_design
    from moco.files import write_text_whole, write_whole
    from pimmodel import PimConfig, find_calibration

    if plot is not None:
        from moco.report.breakdown import picture_kind

        kind = picture_kind(plot)
    constants = find_calibration(calibration)
    given = read_design(_text(design))
    n_dense = given.n_dense if dense is None else dense
    cardinalities = given.cardinalities if table_rows is None else _numbers("--table-rows", table_rows)
    if n_dense is None or cardinalities is None:
        raise ValueError(f"{design} does not say what data it is for: give --dense and --table-rows")
    chip = given.hardware if hardware is None else PimConfig.from_json(_text(hardware))
    sheet = cost_sheet(given.architecture, chip, n_dense, cardinalities, constants)
    if table is not None:
        write_text_whole(table, cost_csv(sheet))
    if plot is not None:
        from moco.report.breakdown import breakdown_figure
        from moco.report.figures import picture

        title = (
            f"{design.name}: {sheet.totals['energy_pj']:,.0f} pJ, {sheet.totals['area_mm2']:.4g} mm², {constants.name}"
        )
        write_whole(plot, picture(breakdown_figure(sheet.parts, title), kind))
    typer.echo(cost_json(sheet) if as_json else cost_text(sheet, None if all_operators else 12))


def calibrations(
    name: Annotated[
        str | None, typer.Argument(help="One to print as TOML; at another node as in isaac32@22nm.")
    ] = None,
) -> None:
    """Lists the calibrations of the hardware model; or prints one as a file to start your own from.

    moco calibrations isaac32 > mine.toml, then --calibration mine.toml. Entries name their units; any unit of the same
    dimension will do. With base = "isaac32", a file needs only what differs.
    """
    from pimmodel import CALIBRATIONS, calibration_text, find_calibration

    if name is not None:
        typer.echo(calibration_text(find_calibration(name)), nl=False)
        return
    for calibration in CALIBRATIONS.values():
        typer.echo(f"{calibration.name:<12} {calibration.digest}  {calibration.source}")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not a text file: give JSON in UTF-8") from error


def _numbers(option: str, text: str) -> tuple[int, ...]:
    try:
        return tuple(int(number) for number in text.split(","))
    except ValueError as error:
        raise ValueError(f"{option} takes whole numbers separated by commas, got {text!r}") from error
