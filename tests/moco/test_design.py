"""Design files: what one writes another reads, and bad files say what is wrong."""

from __future__ import annotations

import json

import pytest

from moco.design import FIGURES, Design, read_design
from pimmodel import PimConfig
from spaces import from_compact

NETWORK = from_compact("FC16|EFC8|11|0|0|0,0 ; DP32|ATT4|00|01|1|0,1")
CHIP = PimConfig(crossbar_size=64, columns_per_adc=8, n_active_wordlines=32, adc_bits=6)
DESIGN = Design(
    key="ab12",
    architecture=NETWORK,
    hardware=CHIP,
    n_dense=3,
    cardinalities=(5, 70),
    logloss=0.5,
    auc=0.75,
    energy_pj=1.0,
    latency_ns=2.0,
    area_mm2=3.0,
    power_mw=4.0,
    period_ns=5.0,
    macs=6,
    n_parameters=7,
    generation=8,
)


def test_round_trip() -> None:
    read = read_design(DESIGN.to_json())
    assert (read.architecture, read.hardware, read.n_dense, read.cardinalities) == (NETWORK, CHIP, 3, (5, 70))
    assert set(json.loads(DESIGN.to_json())["supernet_score_and_costs"]) == set(FIGURES)


def test_a_network_alone_is_a_design_without_chip() -> None:
    read = read_design(NETWORK.to_json())
    assert (read.architecture, read.hardware, read.n_dense, read.cardinalities) == (NETWORK, None, None, None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[1]", "expected a JSON object, got list"),
        ('{"key": "x"}', r"needs the entry 'architecture' or 'blocks', got \['key'\]"),
        ('{"architecture": {"blocks": []}}', "this is not an architecture|at least one block"),
        ('{"blocks": [], "embedding_dim": 16}', "at least one block, got none"),
        ('{"blocks": 3, "embedding_dim": 16}', "not an architecture: entry missing or of the wrong type"),
    ],
)
def test_bad_files(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_design(text)


def test_bad_chip_in_a_design() -> None:
    entries = json.loads(DESIGN.to_json())
    entries["hardware"]["adc_bits"] = 40
    with pytest.raises(ValueError, match="adc_bits must be between 1 and 12, got 40"):
        read_design(json.dumps(entries))
