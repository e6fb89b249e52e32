"""`moco export --pruned` finds rounds of pruning in a run's folder; what it writes predicts as the network does."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from moco.chosen.retrained import FOLDER, by_key, retrain, retrained_networks
from moco.costs.breakdown import cost_sheet
from moco.data import CtrDataset
from moco.export import predict
from moco.export.predict import read_export
from moco.pruning import PruningSettings, PruningStart, found_rounds, prune, pruned_workload, read_round
from moco.runs.run import Run
from moco.runs.settings import RunSettings
from moco.settings import FinalSettings
from moco.supernet.checkpoint import CheckpointError
from pimmodel import estimate
from tests.moco.command_line import call

OPTIONS = {"n_rows": 800, "n_fields": 3, "n_dense": 1, "max_cardinality": 12}
SETTINGS = FinalSettings(epochs=1, n_threads=1)
TUNED, REWOUND = "120000000000-magnitude-fine-tune-0.3-plain", "120000000000-magnitude-rewind-0.2-plain"


@pytest.fixture(scope="module")
def run(make: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with two retrained designs: the knee pruned in two ways, two rounds of two seeds and one of one."""
    folder = tmp_path_factory.mktemp("run")
    this = Run(folder, RunSettings(dataset="synthetic", options=OPTIONS))
    chosen = [("most accurate", make.design(this.data, 1)), ("the knee", make.design(this.data, 0x12))]
    retrain(this.whole_data, chosen, folder / FOLDER, settings=SETTINGS, seeds=(0, 1), for_chip=False, n_jobs=1)
    trained = by_key(retrained_networks(folder / FOLDER))[chosen[1][1].key]
    prune(
        this.whole_data,
        chosen[1][1],
        [PruningStart(one.seed, one.network) for one in trained],
        folder / "pruned" / TUNED,
        PruningSettings(share=0.3, n_rounds=2, for_chip=False),
        settings=SETTINGS,
        n_jobs=1,
    )
    call("prune", folder, "--design", "the knee", "--way", "rewind", "--rounds", 1, "--seeds", 1, "--plain")
    return folder


@pytest.fixture(scope="module")
def exported(run: Path) -> Path:
    done = call("export", run, "--pruned", 2)  # only one pruning has a second round
    folder = run / "exports" / "the-knee-pruned-2"
    what = f"the knee 120000000000, round 2 of its pruning, on {Run.reopen(run).data.name}"
    assert done.stdout == f"{folder}: {what}; see {folder / 'README.md'}\n"
    return folder


def test_rounds_are_found(run: Path) -> None:
    found = found_rounds(run / "pruned")
    assert {name: [(one.number, one.seed) for one in rounds] for name, rounds in found.items()} == {
        TUNED: [(1, 0), (1, 1), (2, 0), (2, 1)],
        REWOUND: [(1, 0)],
    }
    assert found[TUNED][2].pruning == PruningSettings(share=0.3, n_rounds=2, for_chip=False)
    assert found[REWOUND][0].design.key == "12".ljust(64, "0")
    assert found_rounds(run / "nothing") == {}


def test_the_seed_of_the_lowest_loss_on_the_chip_is_exported(run: Path, exported: Path) -> None:
    metrics = json.loads((exported / "metrics.json").read_text())
    losses = {one["seed"]: one["on_chip"]["valid"]["logloss"] for one in metrics["seeds"]}
    assert set(losses) == {0, 1}
    seed = metrics["exported_seed"]
    assert losses[seed] == min(losses.values())
    one = next(one for one in found_rounds(run / "pruned")[TUNED] if (one.number, one.seed) == (2, seed))
    due, read = read_round(one.file).network, read_export(exported)
    assert read.network.kept == due.kept
    assert read.design == one.design
    assert read.manifest["pruning"] == {
        "round": 2,
        "criterion": "magnitude",
        "way": "fine-tune",
        "share": 0.3,
        "for_chip": False,
    }


def test_hardware_and_readme_are_those_of_what_is_left(run: Path, exported: Path) -> None:
    read = read_export(exported)
    work = pruned_workload(read.network)
    totals = {
        name: one["value"] for name, one in json.loads((exported / "hardware.json").read_text())["totals"].items()
    }
    assert totals["n_macs"] == int(estimate(work, read.design.hardware).n_macs[0])
    assert totals["energy_pj"] == pytest.approx(float(estimate(work, read.design.hardware).energy_pj[0]))
    whole = cost_sheet(read.design.architecture, read.design.hardware, 1, read.design.cardinalities)
    assert totals["n_macs"] <= 0.7**2 * whole.n_macs
    readme = (exported / "README.md").read_text()
    for said in (
        "in 2 rounds neurons were removed, those of the smallest weights (`magnitude`), to save 30% of the",
        "it was fine-tuned in plain numbers",
        f"{totals['n_macs'] / whole.n_macs:.1%} of the whole network's multiply-accumulates are left",
        f"| pruned | {totals['energy_pj']:,.1f} pJ ",
        f"| whole | {whole.totals['energy_pj']:,.1f} pJ ",
    ):
        assert said in readme


def test_predictions_are_those_of_torch(
    make: Any, run: Path, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = Run.reopen(run).data
    assert isinstance(data, CtrDataset)
    columns: dict[str, Any] = {
        name: [values[i - 1] if i else "new" for i in ids.tolist()]
        for name, values, ids in zip(data.categorical, data.vocabularies, data.test.ids.T, strict=True)
    }
    columns |= {name: np.expm1(of.astype(float)) for name, of in zip(data.dense, data.test.dense.T, strict=True)}
    log = tmp_path / "log.csv"
    pl.DataFrame({**columns, "label": data.test.labels.astype(np.int64)}).write_csv(log)
    seed = json.loads((exported / "metrics.json").read_text())["exported_seed"]
    file = next(one.file for one in found_rounds(run / "pruned")[TUNED] if (one.number, one.seed) == (2, seed))
    due = make.probability(read_round(file).network, (data.test.ids, data.test.dense))
    assert len(np.unique(due)) > 10
    script = [sys.executable, "-I", str(exported / "predict.py"), str(log)]
    by_script = subprocess.run(script, capture_output=True, text=True, check=True).stdout
    for printed in (call("predict", exported, log).stdout, by_script):
        np.testing.assert_allclose(np.array(printed.split(), dtype=np.float64), due, rtol=0, atol=1e-5)
    monkeypatch.setattr(predict, "is_installed", lambda name: False)  # torch takes over from onnxruntime
    np.testing.assert_allclose(read_export(exported).predict(log), due, rtol=0, atol=1e-7)


def test_a_pruning_by_name(run: Path) -> None:
    call("export", run, "--pruned", 1, "--pruning", REWOUND, "--design", "12")
    folder = run / "exports" / f"{REWOUND}-1"
    assert read_export(folder).manifest["pruning"]["way"] == "rewind"
    assert "in 1 round neurons were removed" in (folder / "README.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--pruned", 1), f"2 prunings have a round 1, choose one by --pruning: {TUNED}; {REWOUND}"),
        (("--pruned", 3), rf"no pruning has a round 3; there are: {TUNED} \(to round 2\); {REWOUND} \(to round 1\)"),
        (("--pruned", 2, "--pruning", REWOUND), "no pruning that is meant has a round 2; there are: .*to round 2"),
        (("--pruned", 1, "--design", "most accurate"), "no pruning that is meant has a round 1; there are: "),
        (("--pruned", 1, "--design", "magic"), r"0 trained designs have role or key 'magic'"),
        (("--pruned", 1, "--pruning", "mine"), f"unknown pruning 'mine', give one of: {TUNED}"),
        (("--pruned", 0), "--pruned must be at least 1, got 0: without it the whole design is exported"),
        (
            ("--pruning", TUNED),
            f"--pruning names the pruning of one round, got '{TUNED}' alone: give --pruned ROUND too",
        ),
    ],
)
def test_what_cannot_be_chosen_is_said(run: Path, arguments: tuple[object, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call("export", run, *arguments)


def test_nothing_pruned_and_damaged_files(run: Path, tmp_path: Path) -> None:
    Run(tmp_path / "new", RunSettings(dataset="synthetic", options=OPTIONS))
    with pytest.raises(ValueError, match="the run holds no pruned designs: prune one with 'moco prune'"):
        call("export", tmp_path / "new", "--pruned", 1)
    whole = found_rounds(run / "pruned")[REWOUND][0].file.read_bytes()
    damaged = tmp_path / "new" / "pruned" / REWOUND / "1.safetensors"
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match=r"1.safetensors is not a pruned network, or is damaged or cut short"):
        call("export", tmp_path / "new", "--pruned", 1)
    damaged.write_bytes(whole.replace(b'\\"seed\\"', b'\\"sead\\"', 1))
    with pytest.raises(CheckpointError, match=r"does not hold a pruned network \('seed'\): remove it and prune again"):
        call("export", tmp_path / "new", "--pruned", 1)
