"""A design becomes a folder, whole or not at all, and what the folder says is what it was made of."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from moco.costs.breakdown import cost_sheet
from moco.data import CtrDataset, DataError
from moco.design import Design
from moco.export import layers, runtime
from moco.export.folder import export_design
from moco.export.hardware import hardware_json
from moco.export.manifest import MANIFEST, REQUIRED, ExportError, write_manifest
from moco.export.predict import read_export
from moco.pruning import PruningSettings, pruned_workload
from moco.supernet.checkpoint import read_tensors, write_tensors
from moco.supernet.metrics import Score
from pimmodel import Kind, PimConfig


def test_the_folder_holds_everything(make: Any, synthetic: CtrDataset, tmp_path: Path) -> None:
    folder, design = tmp_path / "deep" / "export", make.design(synthetic, chip=PimConfig(adc_bits=6, n_copies=2))
    trained = [make.trained(design, seed, valid) for seed, valid in ((0, 0.52), (1, 0.51), (2, float("nan")))]
    export_design(folder, design, trained, synthetic, role="knee", label="label", calibration="mnsim")
    assert {path.name for path in folder.iterdir()} == {*REQUIRED, MANIFEST}
    assert not [path for path in folder.parent.iterdir() if path != folder], "a temporary folder is left"
    assert Design.from_json((folder / "design.json").read_text()) == design

    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["exported_seed"] == 1
    assert [one["plain"]["valid"]["logloss"] for one in metrics["seeds"]] == [0.52, 0.51, None]
    assert metrics["seeds"][0]["on_chip"] == {"valid": None, "test": None}

    weights = load_file(folder / "weights.safetensors")
    for name, tensor in trained[1].network.state_dict().items():
        torch.testing.assert_close(weights[name], tensor, rtol=0, atol=0)

    hardware = json.loads((folder / "hardware.json").read_text())
    sheet = cost_sheet(design.architecture, design.hardware, 2, synthetic.cardinalities, "mnsim")
    assert hardware["calibration"] == {"name": "mnsim", "digest": sheet.calibration.digest}
    assert hardware["totals"]["energy_pj"]["value"] == pytest.approx(sheet.totals["energy_pj"])
    readme = (folder / "README.md").read_text()
    for said in ("synthetic", "knee", "0.51000", "| **1** |", "`c3`", "python predict.py", "mnsim"):
        assert said in readme
    manifest = read_export(folder).manifest
    assert manifest["data"] == {"name": synthetic.name, "digest": synthetic.digest}


@pytest.mark.parametrize("encoding", ["isaac", "differential"])
def test_every_parameter_and_operator_is_explained(make: Any, synthetic: CtrDataset, encoding: str) -> None:
    chip = PimConfig(crossbar_size=32, n_copies=3, weight_encoding=encoding, columns_per_adc=8, n_active_wordlines=32)
    design = make.design(synthetic, 5, chip)
    hardware = json.loads(hardware_json(cost_sheet(design.architecture, chip, 2, synthetic.cardinalities)))
    assert {name: one["value"] for name, one in hardware["parameters"].items()} == json.loads(chip.to_json())
    for one in (*hardware["parameters"].values(), *hardware["totals"].values()):
        assert one["meaning"]
    products = [one for one in hardware["by_operator"] if one["kind"] == "mvm"]
    assert products
    for one in products:
        assert one["n_crossbars"] == one["row_tiles"] * one["column_tiles"] * one["n_copies"]
        assert (
            one["n_used_cells"] == one["in_features"] * one["out_features"] * one["cells_per_weight"] * one["n_copies"]
        )


def test_a_pruned_network_says_what_is_left(make: Any, synthetic: CtrDataset, tmp_path: Path) -> None:
    design, pruning = make.design(synthetic, 5), PruningSettings(criterion="learned-mask", way="rewind", n_rounds=3)
    whole = make.trained(design)
    trained = [replace(whole, seed=seed, network=make.pruned(whole.network, seed)) for seed in range(2)]
    trained[1] = replace(trained[1], chip_valid=Score(0.4, 0.8))  # on the chip, where the other is not known
    export_design(tmp_path / "x", design, trained, synthetic, role="knee", pruning=pruning)
    assert Design.from_json((tmp_path / "x" / "design.json").read_text()) == design
    small = trained[1].network
    header, weights = read_tensors(tmp_path / "x" / "weights.safetensors", "moco weights 1", "file of weights")
    assert {name: tuple(units) for name, units in header["kept"].items()} == small.kept
    for name, tensor in small.state_dict().items():
        torch.testing.assert_close(weights[name], tensor, rtol=0, atol=0)
    assert header["pruning"]["round"] == read_export(tmp_path / "x").manifest["pruning"]["round"] == 3

    hardware, work = json.loads((tmp_path / "x" / "hardware.json").read_text()), pruned_workload(small)
    operators = {one["operator"]: one for one in hardware["by_operator"]}
    assert set(operators) == {name for name, n in zip(work.names, work.n_vectors[0], strict=True) if n > 0}
    counted = 0
    for place, name in enumerate(work.names):
        shape = [int(getattr(work, part)[0, place]) for part in ("in_features", "out_features", "n_vectors")]
        if name in operators and work.kinds[place] in (Kind.MVM, Kind.PRODUCT):
            assert [operators[name][part] for part in ("in_features", "out_features", "n_vectors")] == shape
            counted += shape[0] * shape[1] * shape[2]
    assert hardware["totals"]["n_macs"]["value"] == counted == small.cut.macs
    assert hardware["totals"]["n_parameters"]["value"] == small.cut.n_parameters
    readme = (tmp_path / "x" / "README.md").read_text()
    for said in (
        "learned masks closed (`learned-mask`)",
        "from its first weights as the chip computes",
        "header names",
    ):
        assert said in readme


def test_kept_units_that_no_network_has_are_refused(make: Any, synthetic: CtrDataset, tmp_path: Path) -> None:
    design, folder = make.design(synthetic, 5), tmp_path / "x"
    trained = make.trained(design)
    trained = replace(trained, network=make.pruned(trained.network, 0))
    export_design(folder, design, [trained], synthetic, pruning=PruningSettings())
    header, weights = read_tensors(folder / "weights.safetensors", "moco weights 1", "file of weights")
    name = next(iter(header["kept"]))
    for kept in ({**header["kept"], name: [10_000]}, {**header["kept"], name: 3}, [1]):
        write_tensors(folder / "weights.safetensors", "moco weights 1", {**header, "kept": kept}, weights)
        (folder / MANIFEST).unlink()
        write_manifest(folder, {})
        with pytest.raises(ExportError, match=r"weights.safetensors does not fit design.json"):
            _ = read_export(folder).network


def test_an_export_is_replaced_and_nothing_else(make: Any, synthetic: CtrDataset, tmp_path: Path) -> None:
    folder = tmp_path / "export"
    make.export(folder, synthetic, seed=1)
    make.export(folder, synthetic, seed=2)
    assert read_export(folder).design.key == "2".ljust(64, "0")
    (tmp_path / "empty").mkdir()
    make.export(tmp_path / "empty", synthetic)
    synthetic.save(tmp_path / "data")
    (tmp_path / "file").write_text("mine")
    for other in (tmp_path / "data", tmp_path / "file", tmp_path):
        with pytest.raises(ExportError, match=r"holds other files than an export; choose a new folder"):
            make.export(other, synthetic)
    assert (tmp_path / "file").read_text() == "mine"


def test_what_does_not_fit_is_refused(make: Any, synthetic: CtrDataset, tmp_path: Path) -> None:
    design, other = make.design(synthetic, 1), make.design(synthetic, 2)
    pruned = replace(make.trained(design), network=make.pruned(make.trained(design).network, 0))
    cases: list[tuple[str, Callable[[], object]]] = [
        (
            "networks of the design's architecture",
            lambda: export_design(tmp_path / "x", design, [make.trained(other)], synthetic),
        ),
        (
            r"the design is for 2 dense fields and tables of \(9, 9, 9, 9\) rows",
            lambda: export_design(
                tmp_path / "x", replace(design, cardinalities=(9,) * 4), [make.trained(design)], synthetic
            ),
        ),
        (
            "trained holds a whole network, so it must be left out",
            lambda: export_design(tmp_path / "x", design, [make.trained(design)], synthetic, pruning=PruningSettings()),
        ),
        (
            "trained holds a pruned network, so it must be given",
            lambda: export_design(tmp_path / "x", design, [pruned], synthetic),
        ),
        ("at least one training", lambda: export_design(tmp_path / "x", design, [], synthetic)),
        ("each seed once", lambda: export_design(tmp_path / "x", design, [make.trained(design)] * 2, synthetic)),
        (
            "unknown calibration|no calibration",
            lambda: export_design(tmp_path / "x", design, [make.trained(design)], synthetic, calibration="magic"),
        ),
    ]
    for message, act in cases:
        with pytest.raises(ValueError, match=message):
            act()
        assert not list(tmp_path.iterdir())


def test_a_graph_that_computes_something_else_is_not_written(
    make: Any, synthetic: CtrDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    design = make.design(synthetic)
    with monkeypatch.context() as planted:
        planted.setattr(layers, "fake_quantise", lambda weight, bits: weight)
        with pytest.raises(
            ExportError, match=r"must agree to 1e-05, but row \d+ of test has probability .* report this"
        ):
            export_design(tmp_path / "x", design, [make.trained(design)], synthetic)
    blown_up = make.trained(design)
    with torch.no_grad():
        blown_up.network.weights["head_bias"].fill_(float("nan"))
    with pytest.raises(ExportError, match=r"row 1 of test has probability nan"):
        export_design(tmp_path / "x", design, [blown_up], synthetic)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_said(make: Any, synthetic: CtrDataset, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(DataError, match="cannot write"):
        make.export(tmp_path / "file" / "export", synthetic)


def test_without_the_extra_the_error_says_what_to_install(
    make: Any, synthetic: CtrDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "EXTRA", ("onnx", "a_package_that_nobody_has"))
    with pytest.raises(ExportError, match=r"needs a_package_that_nobody_has.* pip install 'moco\[export\]'"):
        make.export(tmp_path / "x", synthetic)
