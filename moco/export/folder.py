"""One design with its trained network as a folder, whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from moco.costs.breakdown import CostSheet, cost_sheet, workload_sheet
from moco.data import ClickLog
from moco.data.folders import whole_folder
from moco.design import Design
from moco.export.hardware import hardware_json
from moco.export.manifest import (
    DESIGN,
    HARDWARE,
    MANIFEST,
    METRICS,
    MODEL,
    PREPROCESSING,
    README,
    SCRIPT,
    WEIGHTS,
    WEIGHTS_FORMAT,
    ExportError,
    is_export,
    write_manifest,
)
from moco.export.metrics import TrainedSeed, best_seed, metrics_json
from moco.export.preprocess import Preprocessing
from moco.export.readme import readme_text
from moco.export.runtime import onnx_probability, require_extra, torch_probability
from moco.pruning import PrunedNetwork, PruningSettings, pruned_workload
from moco.supernet.checkpoint import write_tensors
from moco.supernet.network import Network
from moco.supernet.rows import evenly
from pimmodel import Calibration, find_calibration

PARITY_ROWS = 1000
"""Most test rows on which the ONNX graph is compared with torch."""

PARITY = 1e-5
"""Largest difference of two probabilities that passes."""


def export_design(
    folder: str | Path,
    design: Design,
    trained: Sequence[TrainedSeed],
    data: ClickLog,
    *,
    role: str = "",
    label: str | None = None,
    calibration: str | Calibration = "isaac32",
    pruning: PruningSettings | None = None,
) -> Path:
    """Writes one design and its trained network, whole or pruned, to a folder that a person can use.

    Of several seeds the one with the lowest valid log loss is exported; the figures of all go to metrics.json. An
    export that is there already is replaced.

    Args:
        folder: To write; a new one, an empty one or an export.
        design: Network and chip.
        trained: Trainings of its network on the data, one a seed.
        data: The click log that they were trained on, with its encoding.
        role: Why the design was chosen, such as "most accurate".
        label: Column of the label in raw logs, for scores at prediction; known for public logs.
        calibration: Of the hardware model.
        pruning: How the networks were pruned, in n_rounds rounds; None for whole ones.

    Returns:
        The folder.

    Raises:
        ExportError: The extra is not installed, the folder holds something else, design, networks and data do not fit
            together, or the ONNX graph does not compute what torch computes; nothing is written then.
        ValueError: The calibration is unknown, or the folder cannot be written.
    """
    folder = Path(folder)
    require_extra()
    _require_free(folder)
    best = best_seed(trained)
    for one in trained:
        _require_fit(design, one.network, data, pruning)
    constants = find_calibration(calibration)
    sheet = whole = cost_sheet(design.architecture, design.hardware, design.n_dense, design.cardinalities, constants)
    if isinstance(best.network, PrunedNetwork):
        sheet = _pruned_sheet(design, best.network, constants)
    how = {} if pruning is None else {"pruning": _told(pruning)}
    preprocessing = Preprocessing.of(data, label)
    text = design.to_json()
    with whole_folder(folder) as partial:
        (partial / DESIGN).write_text(text, encoding="utf-8")
        (partial / HARDWARE).write_text(hardware_json(sheet), encoding="utf-8")
        header = {"key": design.key, "seed": best.seed, "architecture": asdict(design.architecture), **how}
        if isinstance(best.network, PrunedNetwork):
            header["kept"] = best.network.kept
        write_tensors(partial / WEIGHTS, WEIGHTS_FORMAT, header, best.network.state_dict())
        rounds = "" if pruning is None else f", pruned in {pruning.n_rounds} rounds"
        about_model = f"moco design {design.key}, seed {best.seed}, on {data.name}{rounds}"
        _write_model(best.network, partial / MODEL, about_model)
        _require_parity(best.network, partial / MODEL, data)
        (partial / PREPROCESSING).write_text(preprocessing.to_json(), encoding="utf-8")
        (partial / METRICS).write_text(metrics_json(trained), encoding="utf-8")
        script = Path(__file__).with_name("standalone.py").read_text(encoding="utf-8")
        (partial / SCRIPT).write_text(script, encoding="utf-8")
        readme = readme_text(
            design,
            trained,
            preprocessing,
            data.name,
            sheet,
            role=role,
            pruned_from=None if pruning is None else (whole, pruning),
            files=[*(path.name for path in partial.iterdir()), README, MANIFEST],
        )
        (partial / README).write_text(readme, encoding="utf-8")
        about = {"key": design.key, "role": role, "data": {"name": data.name, "digest": data.digest}, **how}
        write_manifest(partial, about)
    return folder


def _require_free(folder: Path) -> None:
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not is_export(folder)):
        raise ExportError(f"{folder} holds other files than an export; choose a new folder")


def _pruned_sheet(design: Design, network: PrunedNetwork, calibration: Calibration) -> CostSheet:
    return workload_sheet(
        pruned_workload(network),
        design.hardware,
        n_macs=network.cut.macs,
        n_parameters=network.cut.n_parameters,
        calibration=calibration,
    )


def _told(pruning: PruningSettings) -> dict[str, Any]:
    """How a network was pruned, as plain data for JSON."""
    how = {name: getattr(pruning, name) for name in ("criterion", "way", "share", "for_chip")}
    return {"round": pruning.n_rounds, **how}


def _require_fit(
    design: Design, network: Network | PrunedNetwork, data: ClickLog, pruning: PruningSettings | None
) -> None:
    if isinstance(network, PrunedNetwork) != (pruning is not None):
        kind, due = ("a whole", "left out") if pruning is not None else ("a pruned", "given")
        raise ExportError(
            f"pruning says how pruned networks were made: trained holds {kind} network, so it must be {due}"
        )
    if network.architecture != design.architecture:
        raise ExportError("trained must hold networks of the design's architecture, got one of another")
    for what, cardinalities, n_dense in (
        ("the data has", data.cardinalities, len(data.dense)),
        ("the design is for", design.cardinalities, design.n_dense),
    ):
        if (network.embedding.cardinalities, network.n_dense) != (tuple(cardinalities), n_dense):
            raise ExportError(
                f"network, design and data must have the same fields, but {what} {n_dense} dense fields and tables of "
                f"{tuple(cardinalities)} rows, the network {network.n_dense} and {network.embedding.cardinalities}; "
                "give the data that the network was trained on"
            )


def _write_model(network: Network | PrunedNetwork, path: Path, text: str) -> None:
    from moco.export.onnx_network import write_onnx  # imports onnx, an extra

    write_onnx(network, path, text)


def _require_parity(network: Network | PrunedNetwork, path: Path, data: ClickLog) -> None:
    at = evenly(len(data.test), PARITY_ROWS)
    rows = data.test.rows(at)
    given = onnx_probability(path)(rows.ids, rows.dense)
    due = torch_probability(network)(rows.ids, rows.dense)
    difference = np.abs(given.astype(np.float64) - due)
    if not (difference <= PARITY).all():
        worst = int(np.where(np.isnan(difference), np.inf, difference).argmax())
        raise ExportError(
            f"onnxruntime and torch must agree to {PARITY:g}, but row {at[worst] + 1} of test has probability "
            f"{given[worst]:.8f} by onnxruntime and {due[worst]:.8f} by torch: nothing is written; report this network"
        )
