"""Logits of the hand-made structures against their papers' formulas, written out slowly."""

from __future__ import annotations

import math
from itertools import combinations

import pytest
import torch
from torch import Tensor

from moco.baselines import BASELINES, HAND_MADE, HandMade
from moco.baselines.autoint import AutoInt
from moco.baselines.dcn import DcnV2
from moco.baselines.deep import DeepFm, DeepStructure, Dnn, WideDeep
from moco.baselines.dlrm import Dlrm
from moco.baselines.finalmlp import FinalMlp
from moco.baselines.hand_made import Structure
from moco.baselines.linear import FactorisationMachine, LogisticRegression
from moco.baselines.masknet import MaskNet
from moco.baselines.tensor_pass import Masks
from moco.baselines.xdeepfm import XDeepFm

CARDINALITIES = (5, 7, 3)
E, N = 4, 6

DEEP = {"embedding_dim": E, "hidden": (16, 12)}
SMALL: dict[str, Structure] = {
    "LR": LogisticRegression(),
    "FM": FactorisationMachine(embedding_dim=E),
    "DNN": Dnn(**DEEP),
    "Wide&Deep": WideDeep(**DEEP),
    "DeepFM": DeepFm(**DEEP),
    "DCNv2": DcnV2(n_cross=2, **DEEP),
    "xDeepFM": XDeepFm(n_maps=(3, 2), **DEEP),
    "AutoInt+": AutoInt(n_layers=2, n_heads=2, attention_dim=6, **DEEP),
    "DLRM": Dlrm(bottom=(3,), **DEEP),
    "MaskNet": MaskNet(n_blocks=2, block_dim=3, **DEEP),
    "FinalMLP": FinalMlp(embedding_dim=E, hidden=(6,), second_hidden=(4,), gate_hidden=(3,), n_heads=2),
}


class Case:
    """A network with random weights and statistics, and what it is given."""

    def __init__(self, name: str, n_dense: int) -> None:
        self.network = HandMade(SMALL[name], CARDINALITIES, n_dense, seed=1).eval()
        generator = torch.Generator().manual_seed(2)
        for tensor in self.network.parameters():
            tensor.detach().normal_(0, 0.5, generator=generator).add_(0.1)
        for key, statistic in self.network.statistics.items():
            if key.endswith("variance"):
                statistic.abs_().add_(0.5)
        self.ids = torch.stack([torch.randint(n, (N,), generator=generator) for n in CARDINALITIES], dim=1)
        self.dense = torch.randn(N, n_dense, generator=generator)
        rows = self.network.embedding(self.ids).detach()
        if n_dense and name != "DLRM":
            vectors = self.weight("dense_vectors")
            rows = torch.cat([rows, self.dense[:, :, None] * vectors], dim=1)
        width = SMALL[name].embedding_dim
        self.rows, self.wide = rows[:, :, :width], rows[:, :, width:].sum(dim=(1, 2))
        self.x = self.rows.flatten(1)

    def weight(self, name: str) -> Tensor:
        return self.network.weights[name].detach()

    def layer(self, name: str, x: Tensor) -> Tensor:
        """(N, n_in) to (N, n_out)."""
        bias = self.weight(f"{name}_bias") if f"{name}_bias" in self.network.weights else 0.0
        return x @ self.weight(f"{name}_weight").T + bias

    def mlp(self, name: str, x: Tensor, n_layers: int) -> Tensor:
        for number in range(1, n_layers + 1):
            key = f"{name}_{number}"
            if f"{key}_gain" in self.network.weights:
                y = x @ self.weight(f"{key}_weight").T
                mean, variance = (self.network.statistics[f"{key}_{part}"] for part in ("mean", "variance"))
                y = (y - mean) / torch.sqrt(variance + 1e-5) * self.weight(f"{key}_gain") + self.weight(f"{key}_bias")
            else:
                y = self.layer(key, x)
            x = torch.relu(y)
        return x

    def norm(self, name: str, x: Tensor) -> Tensor:
        centred = x - x.mean(dim=-1, keepdim=True)
        deviation = torch.sqrt(centred.square().mean(dim=-1, keepdim=True) + 1e-5)
        return centred / deviation * self.weight(f"{name}_gain") + self.weight(f"{name}_bias")

    def check(self, expected: Tensor) -> None:
        logits = self.network(self.ids, self.dense).detach()
        assert logits.shape == (N,)
        assert float(logits.std()) > 1e-3
        torch.testing.assert_close(logits, expected.flatten(), rtol=1e-3, atol=1e-4)


def second_order(rows: Tensor) -> Tensor:
    """(N,) the double sum over pairs of fields, Rendle's equation 1."""
    total = torch.zeros(len(rows))
    for first, second in combinations(range(rows.shape[1]), 2):
        total += (rows[:, first] * rows[:, second]).sum(dim=1)
    return total


both = pytest.mark.parametrize("n_dense", [0, 2])


@both
def test_lr(n_dense: int) -> None:
    case = Case("LR", n_dense)
    case.check(case.wide + case.weight("logit_bias"))


@both
def test_fm(n_dense: int) -> None:
    case = Case("FM", n_dense)
    case.check(case.weight("logit_bias") + case.wide + second_order(case.rows))


@both
def test_dnn(n_dense: int) -> None:
    case = Case("DNN", n_dense)
    case.check(case.layer("head", case.mlp("deep", case.x, 2)))


@both
def test_wide_and_deep(n_dense: int) -> None:
    case = Case("Wide&Deep", n_dense)
    case.check(case.layer("head", case.mlp("deep", case.x, 2))[:, 0] + case.wide)


@both
def test_deepfm(n_dense: int) -> None:
    case = Case("DeepFM", n_dense)
    case.check(case.layer("head", case.mlp("deep", case.x, 2))[:, 0] + case.wide + second_order(case.rows))


@both
def test_dcn(n_dense: int) -> None:
    case = Case("DCNv2", n_dense)
    crossed = case.x
    for number in (1, 2):
        crossed = case.x * case.layer(f"cross_{number}", crossed) + crossed
    case.check(case.layer("head", torch.cat([crossed, case.mlp("deep", case.x, 2)], dim=1)))


@both
def test_xdeepfm(n_dense: int) -> None:
    # xDeepFM, equations 6 to 8: x^k_h = sum over i, j of W_hij (x^(k-1)_i * x^0_j).
    case = Case("xDeepFM", n_dense)
    first = rows = case.rows
    pooled = []
    for number in (1, 2):
        weight, bias = case.weight(f"cin_{number}_weight"), case.weight(f"cin_{number}_bias")
        made = torch.zeros(N, len(weight), E)
        for h in range(len(weight)):
            made[:, h] = bias[h]
            for i in range(rows.shape[1]):
                for j in range(first.shape[1]):
                    made[:, h] += weight[h, i * first.shape[1] + j] * rows[:, i] * first[:, j]
        rows = made
        pooled.append(rows.sum(dim=2))
    interactions = case.layer("cin_head", torch.cat(pooled, dim=1))[:, 0]
    case.check(case.layer("head", case.mlp("deep", case.x, 2))[:, 0] + case.wide + interactions)


@both
def test_autoint(n_dense: int) -> None:
    case = Case("AutoInt+", n_dense)
    rows = case.rows
    for number in (1, 2):
        name = f"attention_{number}"
        query, key, value = (rows @ case.weight(f"{name}_qkv_weight").T).split(6, dim=2)
        heads = []
        for head in (slice(0, 3), slice(3, 6)):
            scores = torch.einsum("nif,njf->nij", query[:, :, head], key[:, :, head]) / math.sqrt(3)
            heads.append(torch.softmax(scores, dim=2) @ value[:, :, head])
        residual = rows @ case.weight(f"{name}_residual_weight").T if number == 1 else rows
        rows = torch.relu(case.norm(f"{name}_norm", torch.cat(heads, dim=2) + residual))
    deep = case.layer("head", case.mlp("deep", case.x, 2))
    case.check(deep + case.layer("attention_head", rows.flatten(1)))


@both
def test_dlrm(n_dense: int) -> None:
    case = Case("DLRM", n_dense)
    rows, beside = case.rows, []
    if n_dense:
        beside = [case.mlp("bottom", case.dense, 2)]
        rows = torch.cat([beside[0][:, None], rows], dim=1)
    # In the order of the lower triangle of the Gram matrix.
    pairs = [(rows[:, i] * rows[:, j]).sum(dim=1) for i in range(rows.shape[1]) for j in range(i)]
    case.check(case.layer("head", case.mlp("deep", torch.cat([*beside, torch.stack(pairs, dim=1)], dim=1), 2)))


@both
def test_masknet(n_dense: int) -> None:
    case = Case("MaskNet", n_dense)
    blocks = []
    for name in ("mask_1", "mask_2"):
        mask = case.layer(f"{name}_out", torch.relu(case.layer(f"{name}_in", case.x)))
        blocks.append(torch.relu(case.norm(f"{name}_norm", case.layer(f"{name}_block", mask * case.x))))
    case.check(case.layer("head", case.mlp("deep", torch.cat(blocks, dim=1), 2)))


@both
def test_finalmlp(n_dense: int) -> None:
    case = Case("FinalMLP", n_dense)
    parts = []
    for name, field in (("first", 0), ("second", 1)):
        gate = case.layer(f"{name}_gate", case.mlp(f"{name}_gate", case.rows[:, field], 1))
        parts.append(case.mlp(name, 2 * torch.sigmoid(gate) * case.x, 1))
    left, right = parts
    logit = case.layer("first_head", left)[:, 0] + case.layer("second_head", right)[:, 0]
    for head in (0, 1):
        weight = case.weight(f"fusion_{head + 1}_weight")  # (2, 3)
        x, y = left[:, 3 * head : 3 * head + 3], right[:, 2 * head : 2 * head + 2]
        logit += torch.einsum("ni,ji,nj->n", x, weight, y)
    case.check(logit)


@pytest.mark.parametrize(
    ("name", "n_parameters"),
    [
        # BARS's logs of Frappe_x1, 5,399 table rows (ctr.md section 1). Theirs have biases that change nothing: in
        # front of batch normalisation, and a second one of the logit; FinalMLP's gates have tables of their own.
        ("DeepFM", 423_391 - 3 * 400 - 1),
        ("DCNv2", 458_491 - 3 * 400),
        ("MaskNet", 571_791),
        ("FinalMLP", 253_392 - (400 + 100) - 1 - 5_040 * 10),
        # By hand.
        ("LR", 5_399 + 1),
        ("FM", 5_399 * 11 + 1),
        ("DNN", 5_399 * 10 + (100 + 400 + 400) * 400 + 2 * 3 * 400 + 401),
    ],
)
def test_parameters_are_those_of_the_published_networks(name: str, n_parameters: int) -> None:
    cardinalities = (958, 4083, 8, 8, 3, 4, 3, 10, 81, 241)
    network = HandMade(BASELINES[name].network, cardinalities, 0, seed=0)  # type: ignore[arg-type]
    assert sum(weight.numel() for weight in network.parameters() if weight.requires_grad) == n_parameters


def test_every_hand_made_network_is_tested() -> None:
    assert tuple(SMALL) == HAND_MADE
    assert {name: type(structure) for name, structure in SMALL.items()} == {
        name: type(BASELINES[name].network) for name in HAND_MADE
    }


def test_batch_normalisation_is_that_of_the_batch_while_training() -> None:
    network = HandMade(Dnn(**DEEP), CARDINALITIES, 0, seed=0)
    ids = Case("DNN", 0).ids
    x = network.embedding(ids).flatten(1)
    for number in (1, 2):
        y = x @ network.weights[f"deep_{number}_weight"].T
        x = torch.relu((y - y.mean(dim=0)) / torch.sqrt(y.var(dim=0, correction=0) + 1e-5))
    expected = x @ network.weights["head_weight"].T
    torch.testing.assert_close(network(ids, torch.zeros(N, 0)), expected[:, 0], rtol=1e-4, atol=1e-5)
    assert float(network.statistics["deep_1_variance"].max()) < 1  # from 1, a tenth of the way to the batch's
    before = network.statistics["deep_1_mean"].clone()
    with torch.no_grad():
        network(ids, torch.zeros(N, 0))
    assert network.statistics["deep_1_mean"].equal(before)


def test_dropout_drops_its_share_keeps_the_mean_and_repeats() -> None:
    x = torch.ones(200, 500).T
    masks = Masks(3, 4, x.device)
    first, second = masks.dropped(x, 0.25), masks.dropped(x, 0.25)
    assert first.unique().tolist() == pytest.approx([0, 4 / 3])
    assert float((first == 0).float().mean()) == pytest.approx(0.25, abs=0.01)  # 7 deviations
    assert not first.equal(second)
    state = torch.get_rng_state()
    again, other = Masks(3, 4, x.device).dropped(x, 0.25), Masks(3, 5, x.device).dropped(x, 0.25)
    assert first.equal(again)
    assert not first.equal(other)
    assert torch.get_rng_state().equal(state)


def test_dropout_is_for_training_alone() -> None:
    case = Case("DNN", 0)
    network = HandMade(Dnn(dropout=0.5, has_batch_norm=False, **DEEP), CARDINALITIES, 0, seed=0)
    trained = [network(case.ids, case.dense) for _ in range(2)]
    assert not trained[0].equal(trained[1])
    assert int(network.n_training_steps) == 2
    with torch.no_grad():
        assert network(case.ids, case.dense).equal(network(case.ids, case.dense))
    network.eval()
    assert network(case.ids, case.dense).equal(network(case.ids, case.dense))
    assert int(network.n_training_steps) == 2


def test_structures_are_checked() -> None:
    with pytest.raises(ValueError, match="embedding_dim must be at least 1, got 0"):
        FactorisationMachine(embedding_dim=0)
    with pytest.raises(ValueError, match="embedding_dim of logistic regression is 0, got 3"):
        LogisticRegression(embedding_dim=3)
    with pytest.raises(ValueError, match="dropout must be at least 0 and below 1, got 1"):
        Dnn(dropout=1)
    with pytest.raises(ValueError, match=r"hidden widths must be at least 1, got \(3, 0\)"):
        DeepStructure.__post_init__(Dnn(hidden=(3, 0)))
    with pytest.raises(ValueError, match="attention_dim must be a multiple of the 4 heads, got 6"):
        AutoInt(n_heads=4, attention_dim=6)
    with pytest.raises(ValueError, match=r"last hidden widths must be multiples of the 5 heads, got \(7,\)"):
        FinalMlp(second_hidden=(7,))
    for cardinalities in ((), (3, 0)):
        with pytest.raises(ValueError, match="every categorical field needs a table of at least one row"):
            HandMade(Dnn(), cardinalities, 0, seed=0)
    with pytest.raises(ValueError, match="dense fields must be 0 or more, got -1"):
        HandMade(Dnn(), (3,), -1, seed=0)
