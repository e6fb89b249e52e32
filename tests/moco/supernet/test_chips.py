"""Chips in training: gradients, what is remembered and what is left out, and trainings that repeat bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from moco.data import CtrDataset, load_dataset
from moco.search.codesign import codesign_space
from moco.settings import FinalSettings, TrainSettings
from moco.supernet import CheckpointError, TrainProgress, train_supernet
from moco.supernet.chips import CHIPS_A_ROUND, TableRounding, TrainedChip, arithmetic_of_steps
from moco.supernet.crossbars import ModelledChip, weight_steps
from moco.supernet.network import Embedding
from moco.supernet.numerics import FLOAT, fake_quantise, quantised_tables
from moco.supernet.on_chip import NetworkOnChip
from moco.supernet.ranges import Range
from moco.supernet.rows import TensorRows
from moco.training.from_scratch import train_from_scratch
from pimmodel import PimConfig
from spaces import HARDWARE_SPACE, CodesignSpace
from spaces.architecture import Architecture, Block

LOSSLESS = PimConfig(adc_bits=12, activation_bits=6)
LOSSY = PimConfig(adc_bits=5, adc_range="k-sigma", cell_bits=2)
USELESS = PimConfig(adc_bits=4, adc_range="full-scale", cell_bits=4, dac_bits=4)
SETTINGS = TrainSettings(epochs=2, embedding_epochs=1, batch_size=64, hardware_share=0.5)


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape).astype(np.float32))


def test_gradients_pass_straight_through_within_the_range() -> None:
    x, weight, bias = numbers(20, 50).requires_grad_(), fake_quantise(numbers(6, 20, seed=1), 8), torch.zeros(6)
    weight.requires_grad_()
    y = TrainedChip(LOSSLESS, seed=0).product("fc", x, (weight, bias), 8)
    inputs = Range.of(x.detach().T, 6)
    rounded = inputs.rounded(x.detach())
    torch.testing.assert_close(y, weight @ rounded, rtol=1e-5, atol=1e-5)
    y.sum().backward()
    within = (x.detach() / inputs.scale).round().clamp(inputs.low, inputs.high) == (x.detach() / inputs.scale).round()
    assert not within.all()
    expected = weight.detach().sum(dim=0)[:, None] * within
    torch.testing.assert_close(x.grad, expected)
    torch.testing.assert_close(weight.grad, rounded.sum(dim=1).expand(6, 20), rtol=1e-4, atol=1e-4)


def test_what_a_chip_does_in_training_is_what_the_score_sees() -> None:
    x, weight, bias = numbers(128, 4000).relu(), fake_quantise(numbers(32, 128, seed=1), 8), numbers(32, seed=2)
    plain = weight @ x
    found = []
    for chip in (TrainedChip(LOSSY, seed=0), ModelledChip(LOSSY)):
        y = chip.product("fc", x, (weight, bias), 8) - bias[:, None]
        gain = float((y * plain).sum() / plain.square().sum())
        noise = (y - gain * plain) / weight_steps(weight, 8)[:, None]
        found.append((gain, float(noise.square().mean().sqrt())))
    assert found[0] == pytest.approx(found[1], rel=0.02)
    assert found[0][0] < 0.999


def test_gain_and_noise_are_remembered_and_follow_the_size_of_the_output() -> None:
    layer, chip = (fake_quantise(numbers(32, 128, seed=1), 8), torch.zeros(32)), TrainedChip(LOSSY, seed=0)
    x = numbers(128, 4000).relu()
    first = chip.product("fc", x, layer, 8)
    remembered = dict(chip._remembered)
    larger = chip.product("fc", 10 * x, layer, 8)
    assert chip._remembered == remembered
    errors = [float((y - scale * (layer[0] @ x)).square().mean().sqrt()) for y, scale in ((first, 1), (larger, 10))]
    assert errors[1] == pytest.approx(10 * errors[0], rel=0.02)


def test_products_that_a_chip_ruins_are_left_as_they_are() -> None:
    x, layer = numbers(128, 300).relu(), (fake_quantise(numbers(32, 128, seed=1), 8), torch.zeros(32))
    plain = layer[0] @ x
    ruined = ModelledChip(USELESS).product("fc", x, layer, 8)
    assert (ruined - plain).square().mean() > 0.1 * plain.square().mean()
    spared = TrainedChip(USELESS, seed=0).product("fc", x, layer, 8)
    assert (spared - plain).square().mean() < 1e-3 * plain.square().mean()


@pytest.mark.parametrize("unit", ["digital", "crossbar"])
def test_products_of_activations_are_distorted_on_crossbars_alone(unit: str) -> None:
    left, right = numbers(200, 6, 64), numbers(200, 64, 6, seed=3).requires_grad_()
    chip = replace(LOSSY, product_unit=unit, adc_bits=6, adc_range="unit-step")
    y = TrainedChip(chip, seed=0).activation_product("scores", left, right)
    plain = left @ right
    error = float(((y - plain).square().mean() / plain.square().mean()).detach())
    assert error < 1e-3 if unit == "digital" else 1e-3 < error < 0.2
    y.sum().backward()
    assert right.grad is not None


@pytest.mark.parametrize("chip", [LOSSLESS, LOSSY])
def test_chips_go_with_sixteen_bit_training(chip: PimConfig) -> None:
    x, weight = numbers(128, 300).relu(), numbers(32, 128, seed=1).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        y = TrainedChip(chip, seed=0).product("fc", x.bfloat16(), (fake_quantise(weight, 8), torch.zeros(32)), 8)
    whole = TrainedChip(chip, seed=0).product("fc", x, (fake_quantise(weight, 8), torch.zeros(32)), 8)
    assert float((y - whole).detach().square().mean()) < 0.01 * float(whole.detach().square().mean())
    y.float().sum().backward()
    assert weight.grad is not None


def test_the_steps_of_a_round_are_drawn_from_few_chips() -> None:
    def drawn(share: float, seed: int = 0) -> list[object]:
        return list(islice(arithmetic_of_steps(HARDWARE_SPACE, share, np.random.default_rng(seed)), 600))

    some = drawn(0.25)
    on_chip = [one for one in some if one is not FLOAT]
    assert 0.2 < len(on_chip) / len(some) < 0.3
    assert len(set(map(id, on_chip))) == CHIPS_A_ROUND
    assert all(isinstance(one, TrainedChip) for one in drawn(1.0))
    assert all(one is FLOAT for one in drawn(0.0))
    again = [one is FLOAT for one in drawn(0.25)]
    assert again == [one is FLOAT for one in some]
    assert again != [one is FLOAT for one in drawn(0.25, seed=1)]


def test_rows_are_rounded_as_their_tables_and_dropout_keeps_the_grid() -> None:
    embedding = Embedding((5, 7), 4, torch.Generator().manual_seed(0))
    ids = torch.tensor([[0, 6], [4, 2]])
    expected = embedding.rows(ids, quantised_tables(embedding.table, (5, 7), 4))
    for dropout in (0.0, 0.2):
        tables = TableRounding.of(embedding, 4, dropout)
        assert tables is not None
        kept = embedding(ids) / (1 - dropout)
        torch.testing.assert_close(tables.rounded(kept) * (1 - dropout), expected)
    assert TableRounding.of(embedding, 32, 0.0) is None


@pytest.fixture(scope="module")
def data() -> CtrDataset:
    return load_dataset("synthetic", n_rows=2500, n_fields=4, n_dense=2, max_cardinality=20)


@pytest.fixture(scope="module")
def space(data: CtrDataset) -> CodesignSpace:
    return codesign_space(data, n_blocks=3, dense_dims=(8, 16), sparse_dims=(2, 4), embedding_dim=8)


@pytest.fixture(autouse=True)
def _short_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moco.supernet.loop.ROUND_STEPS", 20)


class Stopped(Exception):
    pass


def stop_at(n_calls: int) -> Callable[[TrainProgress], None]:
    calls = iter(range(n_calls))

    def stop(_: TrainProgress) -> None:
        if next(calls, None) is None:
            raise Stopped

    return stop


def test_networks_alone_have_no_chips_to_train_on(data: CtrDataset, space: CodesignSpace) -> None:
    settings = replace(SETTINGS, epochs=1)
    alone, plain = (
        train_supernet(data, space.network, settings=replace(settings, hardware_share=share)).supernet.state_dict()
        for share in (0.5, 0.0)
    )
    assert all(plain[name].equal(value) for name, value in alone.items())


FINAL = FinalSettings(epochs=4, batch_size=64, learning_rate=5e-3, embedding_l2=1e-4, embedding_dropout=0.1)


def architecture() -> Architecture:
    choices = {"dense_inputs": (0,), "sparse_inputs": (0,), "left": 0, "right": 0, "dense_dim": 16, "sparse_dim": 4}
    first = Block(dense_operator="dot-product", sparse_operator="attention", has_fm=True, **choices)
    last = Block(dense_operator="fc", sparse_operator="efc", **{**choices, "dense_inputs": (0, 1)})
    return Architecture(blocks=(first, last), embedding_dim=8)


def test_a_network_trained_for_its_chip_is_scored_on_it(data: CtrDataset, tmp_path: Path) -> None:
    lossless = PimConfig(adc_bits=12, table_bits=32)
    plain = train_from_scratch(data, architecture(), settings=FINAL)
    found = train_from_scratch(data, architecture(), settings=FINAL, hardware=lossless)
    assert found.test.logloss == pytest.approx(plain.test.logloss, abs=0.02)
    train, valid = (TensorRows.of(rows, torch.device("cpu")) for rows in (data.train, data.valid))
    on_chip = NetworkOnChip(found.network, lossless, train)
    assert on_chip.exact(valid, len(valid)) == found.valid
    assert on_chip.score(valid).logloss == pytest.approx(found.valid.logloss, abs=1e-6)
    for name in ("logloss", "auc"):  # where a chip loses nothing, exact products of some rows change nothing for all
        of_all, of_some = (getattr(find(valid, 30), name) for find in (on_chip.exact_of_all, on_chip.exact))
        assert of_all == pytest.approx(getattr(found.valid, name), abs=1e-6)
        assert abs(of_some - getattr(found.valid, name)) > 1e-3
    lossy = NetworkOnChip(found.network, LOSSY, train)
    assert lossy.exact_of_all(valid, len(valid)) == lossy.exact(valid, len(valid))
    nearly = lossy.exact_of_all(valid, len(valid) // 2).logloss - lossy.exact(valid, len(valid)).logloss
    assert abs(nearly) < abs(lossy.exact(valid, len(valid) // 2).logloss - lossy.exact(valid, len(valid)).logloss)

    file = tmp_path / "network"
    with pytest.raises(Stopped):
        train_from_scratch(
            data,
            architecture(),
            settings=FINAL,
            hardware=LOSSY,
            checkpoint=file,
            progress=stop_at(5),
        )
    with pytest.raises(CheckpointError, match="holds a training of another network"):
        train_from_scratch(data, architecture(), settings=FINAL, checkpoint=file)
    resumed = train_from_scratch(data, architecture(), settings=FINAL, hardware=LOSSY, checkpoint=file)
    unbroken = train_from_scratch(data, architecture(), settings=FINAL, hardware=LOSSY)
    assert (resumed.valid, resumed.test, resumed.history) == (unbroken.valid, unbroken.test, unbroken.history)
