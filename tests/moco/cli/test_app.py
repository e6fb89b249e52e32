"""The command line: results on standard output, one clear line for bad input, no traceback, nothing lost."""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from moco.cli.app import app
from moco.data.logs import generate_log
from moco.design import read_design
from pimmodel import find_calibration
from tests.moco.command_line import Cli

LOG = "click,shop,price\n" + "".join(f"{row % 2},shop-{row % 7},{row / 10}\n" for row in range(400))
TABLE = ("--label", "click", "--categorical", "shop", "--numeric", "price")
SMALL = ("--set", "n_rows=800", "--set", "n_fields=3", "--set", "max_cardinality=12", "--check", "0")
LEARNABLE = ("--set", "n_rows=3000", *SMALL[2:])


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(monkeypatch, capsys)


@pytest.mark.parametrize(
    "command",
    [
        "",
        *(command.callback.__name__ for command in app.registered_commands if command.callback),
        *("data", "data describe", "data prepare", "data generate"),
    ],
)
def test_help(cli: Cli, command: str) -> None:
    code, out, _ = cli(*command.split(), "--help")
    assert code == 0
    assert "Usage" in out


def test_data_describes_a_table(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(LOG)
    code, out, _ = cli("data", "describe", "table", tmp_path / "log.csv", *TABLE)
    assert code == 0
    assert "shop" in out
    assert "0.5000" in out


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(LOG.replace("1,shop-1,0.1\n", "1,shop-1,0.1,7\n"), "field|column", id="wrong-column-count"),
        pytest.param(LOG.replace("1,shop-1,0.1\n", "1,shop-1,cheap\n"), "'price'.*'cheap'", id="text-in-numeric"),
        pytest.param(LOG.replace("1,shop-1,0.1\n", "2,shop-1,0.1\n"), "label.*2", id="label-outside"),
        pytest.param("", "empty|no rows", id="empty"),
        pytest.param(LOG.splitlines()[0] + "\n", "no rows", id="header-only"),
    ],
)
def test_malformed_logs(cli: Cli, tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "log.csv").write_text(content)
    cli.fails(message, "data", "describe", "table", tmp_path / "log.csv", *TABLE)


def test_files_that_are_not_what_they_say(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "log.csv.gz").write_text(LOG)
    cli.fails("is not packed so", "data", "describe", "table", tmp_path / "log.csv.gz", *TABLE)
    whole = gzip.compress(LOG.encode())
    (tmp_path / "cut.csv.gz").write_bytes(whole[: len(whole) // 2])
    cli.fails("cut.csv.gz", "data", "describe", "table", tmp_path / "cut.csv.gz", *TABLE)
    cli.fails("no file|not.*exist|no such", "data", "describe", "table", tmp_path / "absent.csv", *TABLE)


@pytest.mark.parametrize(
    ("arguments", "message", "code"),
    [
        (("data", "describe", "netflix"), "unknown data set 'netflix'; data sets are 'frappe'", 1),
        (("data", "describe", "synthetic", "--set", "n_columns=3"), "unknown option 'n_columns'", 1),
        (("data", "describe", "synthetic", "--set", "n_rows"), "--set takes NAME=VALUE", 1),
        (("data", "describe", "synthetic", "--set", "n_rows=-5"), "n_rows must be", 1),
        (("data", "describe", "synthetic", "--rows", "3"), "No such option", 2),
        (("data", "describe", "frappe"), "needs a path", 1),
        (("walk",), "No such command", 2),
        (("run", "synthetic", "--epochs", "0", *SMALL), "epochs must be positive, got 0", 1),
        (("run", "synthetic", "--trials", "0", *SMALL), "n_trials must be at least 1, got 0", 1),
        (("run", "synthetic", "--trials", "-3", *SMALL), "n_trials must be at least 1, got -3", 1),
        (("run", "synthetic", "--population", "0", *SMALL), "population_size must be at least 1, got 0", 1),
        (("run", "synthetic", "--engine", "annealing", *SMALL), "unknown engine 'annealing'", 1),
        (("run", "synthetic", "--calibration", "cmos", *SMALL), "unknown calibration 'cmos'", 1),
        (("run", "synthetic", "--space", "nasrec", *SMALL), "unknown network space 'nasrec'", 1),
        (("run", "synthetic", "--max-area-mm2", "0", *SMALL), "max_area_mm2 must be a positive number of mm2", 1),
        (("run", "synthetic", "--max-energy-pj", "nan", *SMALL), "max_energy_pj must be a positive number", 1),
    ],
)
def test_bad_arguments(cli: Cli, tmp_path: Path, arguments: tuple[str, ...], message: str, code: int) -> None:
    out = ("--out", tmp_path / "run") if arguments[0] == "run" else ()
    cli.fails(message, *arguments, *out, code=code)


def test_unknown_column_names_those_there_are(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(LOG)
    cli.fails(
        "no column 'store'.*'click', 'shop', 'price'|'store'.*columns are",
        "data",
        "describe",
        "table",
        tmp_path / "log.csv",
        "--label",
        "click",
        "--categorical",
        "store",
    )
    cli.fails("--label NAME", "data", "describe", "table", tmp_path / "log.csv", "--categorical", "shop")


def test_unwritable_folder(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here")
    cli.fails("cannot write .*run.json", "run", "synthetic", "--out", tmp_path / "file" / "run", *SMALL)
    assert (tmp_path / "file").read_text() == "here"


def test_folders_without_a_run(cli: Cli, tmp_path: Path) -> None:
    for command in ("search", "front", "report", "dashboard"):
        cli.fails("holds no run: make one with 'moco run'", command, tmp_path)
    for text, why in (
        ('{"color": "red"}', "these are no settings of a run"),
        ('{"dataset": "frappe", "n_teachers": -1}', "a teacher has 0 networks or more, got -1"),
        ("{", "Expecting property name"),
    ):
        (tmp_path / "run.json").write_text(text)
        cli.fails(f"run.json: {why}.*take that version, or a new folder", "front", tmp_path)


def test_a_run_its_parts_and_its_refusals(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    run = ("run", "synthetic", *SMALL[:-2], "--epochs", 1, "--population", 8, "--out", folder)
    code, out, err = cli(*run, "--trials", 16, "--check", 3)
    assert code == 0, err
    assert "supernet score" in out
    told = out.partition("trained from scratch")[2].split()
    for result in json.loads((folder / "from_scratch.json").read_text()):
        assert {result["key"][:8], f"{result['valid_logloss']:.5f}", f"{result['test_logloss']:.5f}"} <= set(told)
    fidelity = r"Rank fidelity: tau -?\d.* of 3 networks spread over cost"
    assert re.search(fidelity, err)
    for name in ("report.html", "front.csv", "front.json", "study.db", "supernet.safetensors", "front_pairs.png"):
        assert (folder / name).stat().st_size > 0
    n_front = len(json.loads((folder / "front.json").read_text())["designs"])

    code, again, err = cli("front", folder)
    assert (code, again) == (0, out)
    assert re.search(fidelity, err)
    assert re.search(fidelity, (folder / "report.html").read_text())
    code, design, _ = cli("front", folder, "--design", 1)
    assert code == 0
    assert n_front >= 1
    file = tmp_path / "design.json"
    file.write_text(design)
    code, costs, _ = cli("cost", file)
    assert code == 0
    energy_pj = json.loads(design)["supernet_score_and_costs"]["energy_pj"]
    assert f"energy        {energy_pj:,.1f} pJ per inference" in costs
    file.write_text(read_design(design).architecture.to_json())
    cli.fails("does not say what data it is for: give --dense and --table-rows", "cost", file)
    assert cli("cost", file, "--dense", 4, "--table-rows", "13,13,13")[0] == 0
    cli.fails("--table-rows takes whole numbers", "cost", file, "--dense", 4, "--table-rows", "many")
    cli.fails(
        "unknown calibration 'cmos'", "cost", file, "--calibration", "cmos", "--dense", 4, "--table-rows", "3,3,3"
    )

    unchecked = (*run[:-1], tmp_path / "unchecked")
    cli.fails("a rank needs at least 3 networks, got 2; 0 checks nothing", *unchecked, "--check", 2)
    cli.fails("hours must be above 0, got 0.0", *run, "--hours", 0)
    cli.fails("holds a run with seed 0, this asks for 1", *run, "--seed", 1)
    cli.fails("holds a run with population_size 8, this asks for 9", *run[:-4], "--population", 9, "--out", folder)
    cli.fails("0 designs have a key that begins with 'zz'", "front", folder, "--design", "zz")

    checkpoint = folder / "supernet.safetensors"
    whole = checkpoint.read_bytes()
    checkpoint.write_bytes(whole[: len(whole) // 2])
    cli.fails("supernet.safetensors", "front", folder)
    checkpoint.write_bytes(whole)
    assert cli("front", folder)[:2] == (0, out)


def test_a_constraint_that_no_design_can_meet(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    arguments = ("run", "synthetic", *SMALL, "--epochs", 1, "--population", 4, "--trials", 4, "--out", folder)
    cli.fails("none of them feasible.*'area_mm2'.*the limit 1e-09", *arguments, "--max-area-mm2", 1e-9)
    assert (folder / "report.html").exists()


def test_a_calibration_of_ones_own_starts_from_a_named_one(cli: Cli, tmp_path: Path) -> None:
    assert "isaac32" in cli("calibrations")[1]
    mine = tmp_path / "mine.toml"
    text = cli("calibrations", "isaac32")[1].replace('name = "isaac32"', 'name = "mine"')
    mine.write_text(text.replace('row_write = "10.0 ns"', 'row_write = "0.02 us"'))
    assert find_calibration(str(mine)) == replace(find_calibration("isaac32"), name="mine", row_write_ns=20.0)
    mine.write_text(text.replace("pJ", "um2"))
    cli.fails(
        "mine.toml: digital.mac_energy must be an energy such as pJ, got 'um2'",
        "run",
        "synthetic",
        "--calibration",
        mine,
    )
    cli.fails("unknown calibration 'isaac'; calibrations are", "calibrations", "isaac")


def test_a_raw_log_is_described_whole(cli: Cli, tmp_path: Path) -> None:
    generate_log("criteo", tmp_path / "train.txt", 500)
    code, out, _ = cli("data", "describe", "criteo", tmp_path)
    assert code == 0
    assert re.search(r"train +400 ", out)
    assert "Criteo Kaggle, vocabulary encoding" in out
    _, sampled, _ = cli("data", "describe", "criteo", tmp_path, "--set", "n_rows=100", "--set", "encoding=authors")
    assert re.search(r"train +400 ", sampled)
    assert re.search(r"C3 +10,131,227 ", sampled)


def test_a_run_keeps_to_its_calibration_file(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = cli("calibrations", "isaac32")[1].replace('name = "isaac32"', 'name = "mine"')
    monkeypatch.chdir(tmp_path)
    Path("mine.toml").write_text(text)
    run = ("run", "synthetic", *LEARNABLE, "--epochs", 4, "--trials", 10, "--calibration", "mine.toml", "--out", "run")
    code, _, err = cli(*run)
    assert code == 0, err
    monkeypatch.chdir("/")
    assert cli("report", tmp_path / "run")[0] == 0
    monkeypatch.chdir(tmp_path)
    Path("mine.toml").write_text(text.replace('"10.0 ns"', '"11.0 ns"'))
    cli.fails("was made with hardware model [0-9a-f]{16}, this is [0-9a-f]{16}: give the study a new name", *run)


def test_a_public_log_is_generated_prepared_described_and_used(cli: Cli, tmp_path: Path) -> None:
    raw, made = tmp_path / "train.txt", tmp_path / "log"
    assert cli("data", "generate", "criteo", raw, "--rows", 900)[1] == f"{raw}: 900 rows\n"
    with raw.open("a") as file:
        file.write("what is this\n")
    code, out, err = cli("data", "prepare", "criteo", raw, "--out", made, "--max-bad-share", 0.01, "--min-count", 1)
    assert code == 0, err
    assert "1 bad lines left out" in out
    assert re.search(r"line 901: .*what is this", out)
    whole = cli("data", "describe", made)[1]
    assert re.search(r"label mean of each tenth, in the order of the raw file, that of time:( 0\.\d{4}){10}\n", whole)
    assert re.search(r"all fields +[\d,]+ ", whole)
    capped = cli("data", "describe", "criteo", made, "--max-table-rows", 20)[1]
    assert re.search(r"C3 +20 ", capped)
    train = ("train", "criteo", made, "--set", "n_rows=300", "--set", "max_table_rows=20", "--out", tmp_path / "run")
    code, out, err = cli(*train, "--space", "nasrec-small")
    assert code == 0, err
    assert "on Criteo Kaggle, vocabulary encoding, 300 of 900 rows, seed 0" in out
    encoded = ("--set", "encoding=authors")
    cli.fails("unknown option 'encoding' of the stored log", "data", "describe", "criteo", made, *encoded)
    cli.fails("is there already, and may be a real log", "data", "generate", "criteo", raw)
    prepare = ("data", "prepare", "criteo", raw, "--out")
    cli.fails("unknown log 'netflix'; logs are 'criteo'", "data", "prepare", "netflix", raw, "--out", made)
    cli.fails("Invalid value for '--encoding'", *prepare, made, "--encoding", "x", code=2)
    cli.fails("holds other files than a stored log", *prepare, tmp_path)
    cli.fails("embedding_dim must be at least 1, got 0", "data", "describe", made, "--embedding-dim", 0)


def test_under_torchrun_training_alone(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    cli.fails("only training runs in several processes: 'torchrun -m moco train'", "run", "synthetic")
