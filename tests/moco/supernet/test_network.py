import re
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from moco.supernet.forward import Path
from moco.supernet.network import Network, Remembered, Supernet, forward_pass
from moco.supernet.numerics import FloatArithmetic, Linear, fake_quantise
from moco.supernet.operators import factorisation_machine, normalised_over_rows, pairwise_products
from spaces.architecture import Architecture, ArchitectureBatch, Block
from spaces.liveness import liveness
from spaces.nasrec import NasrecSpace, nasrec_space
from spaces.shapes import macs, n_parameters, products

CARDINALITIES = (5, 3, 7, 4, 6)
N_ROWS = 6


@cache
def space_of(n_dense: int, is_flat: bool = False) -> NasrecSpace:
    return nasrec_space(
        "nasrec-flat" if is_flat else "nasrec-full",
        n_dense=n_dense,
        n_sparse=len(CARDINALITIES),
        n_blocks=5,
        dense_dims=(3, 8, 16, 32, 64),
        sparse_dims=(2, 3, 6),
        weight_bits=(4, 8),
        embedding_dim=8,
    )


@cache
def supernet_of(n_dense: int, is_flat: bool = False) -> Supernet:
    """A supernet whose biases and norms are random too, so that a wrong slice of them shows."""
    supernet = Supernet(space_of(n_dense, is_flat), CARDINALITIES, seed=3)
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for name, parameter in supernet.weights.items():
            if name.endswith(("_bias", "_gain")):
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return supernet


def rows_of(n_dense: int, n_rows: int = N_ROWS, seed: int = 0) -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, CARDINALITIES, size=(n_rows, len(CARDINALITIES)), dtype=np.int32)
    return torch.from_numpy(ids), torch.from_numpy(rng.standard_normal((n_rows, n_dense)).astype(np.float32))


def random_networks(n_dense: int, seed: int, n: int = 1, is_flat: bool = False) -> ArchitectureBatch:
    space = space_of(n_dense, is_flat)
    return space.networks(space.sample(np.random.default_rng(seed), n))


cases = given(n_dense=st.sampled_from([0, 1, 3, 8]), seed=st.integers(0, 10_000), is_flat=st.booleans())


@cases
@settings(max_examples=60)
def test_cut_out_computes_the_same_numbers_and_gradients(n_dense: int, seed: int, is_flat: bool) -> None:
    supernet, architecture = supernet_of(n_dense, is_flat), random_networks(n_dense, seed, is_flat=is_flat)[0]
    ids, dense = rows_of(n_dense, seed=seed)
    network = supernet.cut_out(architecture)
    expected, got = supernet(ids, dense, architecture), network(ids, dense)
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-5)
    supernet.zero_grad(set_to_none=True)
    expected.square().sum().backward()
    got.square().sum().backward()
    torch.testing.assert_close(network.embedding.table.grad, supernet.embedding.table.grad, atol=1e-5, rtol=1e-5)
    for name, parameter in network.weights.items():
        if parameter.numel() == 0:
            continue
        assert parameter.grad is not None, name
        shared = _shared_gradient(supernet, architecture, name)
        torch.testing.assert_close(parameter.grad, shared[tuple(map(slice, parameter.shape))], atol=1e-5, rtol=1e-5)


def _shared_gradient(supernet: Supernet, architecture: Architecture, name: str) -> Tensor:
    """The supernet's gradient of one weight of a network, put together from the parts that the network reads."""
    if name in supernet.weights:
        gradient = supernet.weights[name].grad
        assert gradient is not None, name
        return gradient
    layer = name.removesuffix("_weight")
    if layer == "head":
        last = architecture.blocks[-1]
        sizes = [("dense", last.dense_dim), ("rows", last.sparse_dim * 8), ("merged", 64 * last.has_dense_to_sparse)]
    else:
        number, _, product_name = layer[1:].partition("_")
        block = architecture.blocks[int(number) - 1]
        sizes = []
        for node in block.dense_inputs if product_name in ("fc", "dot_dense") else block.sparse_inputs:
            source = architecture.blocks[node - 1] if node else None
            if product_name in ("fc", "dot_dense"):
                sizes.append((f"from{node}", source.dense_dim if source else supernet.space.input_width))
            else:
                sizes.append((f"from{node}", source.sparse_dim if source else supernet.space.n_sparse))
                sizes.append((f"from{node}_merged", 8 if source and source.has_dense_to_sparse else 0))
    parts = [supernet.weights[f"{layer}_{slot}"].grad[:, :size] for slot, size in sizes if size]
    return torch.cat(parts, dim=1)


@cases
@settings(max_examples=40)
def test_a_network_has_the_counted_parameters(n_dense: int, seed: int, is_flat: bool) -> None:
    networks = random_networks(n_dense, seed, is_flat=is_flat)
    network = Network(networks[0], CARDINALITIES, n_dense, seed=0)
    n_trainable = sum(parameter.numel() for parameter in network.parameters())
    assert n_trainable - network.embedding.table.numel() == n_parameters(networks, n_dense, len(CARDINALITIES))[0]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("n_dense", [0, 3])
@pytest.mark.parametrize("is_flat", [False, True])
def test_a_forward_pass_makes_the_counted_products(is_flat: bool, n_dense: int, seed: int) -> None:
    n_made: dict[str, int] = {}

    class Counting(FloatArithmetic):
        def product(self, name: str, x: Tensor, layer: Linear, bits: int) -> Tensor:
            n_made[name] = x.shape[1] * layer[0].numel()
            return super().product(name, x, layer, bits)

        def activation_product(self, name: str, left: Tensor, right: Tensor) -> Tensor:
            n_made[name] = left.numel() * right.shape[2]
            return super().activation_product(name, left, right)

    networks = random_networks(n_dense, seed, is_flat=is_flat)
    network = Network(networks[0], CARDINALITIES, n_dense, seed=0)
    ids, dense = rows_of(n_dense)
    forward_pass(network, Path.of(networks[0]), dense, network.embedding(ids), Counting()).logits()
    assert sum(n_made.values()) == N_ROWS * macs(networks, n_dense, len(CARDINALITIES))[0]
    made = products(networks, n_dense, len(CARDINALITIES))
    expected = {name.replace(".", "_") for name, n in zip(made.names, made.n_vectors[0], strict=True) if n}
    assert {re.sub("(gate|sum)_resize", "resize", name) for name in n_made} == expected


@cases
@settings(max_examples=40)
def test_what_is_dead_is_neither_read_nor_trained(n_dense: int, seed: int, is_flat: bool) -> None:
    supernet, networks = supernet_of(n_dense, is_flat), random_networks(n_dense, seed, is_flat=is_flat)
    ids, dense = rows_of(n_dense)
    expected = supernet(ids, dense, networks[0])
    supernet.zero_grad(set_to_none=True)
    expected.sum().backward()
    untouched = {name: p.detach().clone() for name, p in supernet.weights.items() if p.grad is None}
    live = liveness(networks)
    for block in range(1, networks.n_blocks + 1):
        if not live.dense_operator[0, block - 1]:
            assert all(
                name in untouched for name in supernet.weights if name.startswith((f"b{block}_fc", f"b{block}_dot"))
            )
        if not live.sparse_operator[0, block - 1]:
            assert all(
                name in untouched for name in supernet.weights if name.startswith((f"b{block}_efc", f"b{block}_at"))
            )
    try:
        with torch.no_grad():
            for name in untouched:
                supernet.weights[name].fill_(torch.nan)
            assert supernet(ids, dense, networks[0]).equal(expected)
    finally:
        with torch.no_grad():
            for name, value in untouched.items():
                supernet.weights[name].copy_(value)


def test_a_dead_gene_changes_nothing() -> None:
    space, supernet = space_of(3), supernet_of(3)
    genomes = space.sample(np.random.default_rng(0), 60)
    before = space.networks(genomes)
    dead = ~liveness(before).sparse_operator
    rows, columns = np.nonzero(dead)
    assert len(rows) > 0
    ids, dense = rows_of(3)
    for row, block in zip(rows, columns, strict=True):
        changed = genomes[row].copy()
        column = space.column(f"b{block + 1}.sparse_dim")
        changed[column] = (changed[column] + 1) % 3
        after = space.networks(changed[None])[0]
        assert supernet(ids, dense, after).equal(supernet(ids, dense, before[row]))


def block_of(**choices: object) -> Block:
    plain = {
        "dense_operator": "fc",
        "sparse_operator": "efc",
        "dense_inputs": (0,),
        "sparse_inputs": (0,),
        "left": 0,
        "right": 0,
        "dense_dim": 8,
        "sparse_dim": 3,
    }
    return Block(**{**plain, **choices})  # type: ignore[arg-type]


def test_a_sum_is_exactly_commutative() -> None:
    first = block_of(dense_dim=3)
    ids, dense = rows_of(8)
    logits = [
        supernet_of(8)(
            ids,
            dense,
            Architecture(
                blocks=(*[first] * 4, block_of(dense_operator="sum", dense_dim=16, left=left, right=right)),
                embedding_dim=8,
            ),
        )
        for left, right in ((0, 1), (1, 0))
    ]
    assert logits[0].equal(logits[1])


def test_formulas_by_hand() -> None:
    rows = torch.tensor([[[1.0], [2.0]], [[3.0], [4.0]], [[5.0], [6.0]]])  # three rows of width 2, one sample
    # (1, 2), (3, 4), (5, 6): inner products 11 with row 1; 17 and 39 with row 2.
    assert pairwise_products(rows).flatten().tolist() == [11.0, 17.0, 39.0]
    # (1 + 3 + 5)^2 - (1 + 9 + 25) and (2 + 4 + 6)^2 - (4 + 16 + 36)
    assert factorisation_machine(rows).flatten().tolist() == [46.0, 88.0]
    # Both columns have mean of their middle row and variance 8 / 3.
    expected = torch.tensor([-2.0, 0.0, 2.0]) / (8 / 3) ** 0.5
    torch.testing.assert_close(normalised_over_rows(rows)[:, 0, 0], expected)


def test_merger_and_factorisation_machine_by_hand() -> None:
    """One block with both mergers, written out as plain matrix algebra, sample by sample."""
    block = block_of(dense_operator="gating", has_dense_to_sparse=True, has_fm=True, dense_dim=16)
    network = Network(Architecture(blocks=(block,), embedding_dim=8), CARDINALITIES, 3, seed=1)
    ids, dense = rows_of(3)

    def layer(name: str, x: Tensor) -> Tensor:
        bits = 8
        return fake_quantise(network.weights[f"{name}_weight"], bits) @ x + network.weights[f"{name}_bias"]

    for sample in range(N_ROWS):
        x, rows = dense[sample], network.embedding(ids)[sample]
        gated = torch.sigmoid(layer("b1_gate", x)) * x
        output = layer("b1_gate_resize", gated)
        mixed = torch.relu(torch.stack([layer("b1_efc", column) for column in rows.T], dim=1))
        merged = layer("b1_dense_to_sparse", output)
        output = output + layer("b1_fm", mixed.sum(0) ** 2 - (mixed**2).sum(0))
        logit = layer("head", torch.cat([output, mixed.flatten(), merged]))
        torch.testing.assert_close(network(ids, dense)[sample], logit[0], atol=1e-5, rtol=1e-5)


def test_attention_is_torch_attention() -> None:
    """The transformer layer against torch's own, on the same weights."""
    architecture = Architecture(blocks=(block_of(sparse_operator="attention", sparse_dim=6),), embedding_dim=8)
    network = Network(architecture, CARDINALITIES, 3, seed=1)
    reference = torch.nn.TransformerEncoderLayer(8, 2, 8, dropout=0.0, batch_first=True)
    reference.train()  # the plain formulas, not the fused inference path
    names = {
        "self_attn.in_proj_weight": "qkv_weight",
        "self_attn.in_proj_bias": "qkv_bias",
        "self_attn.out_proj.weight": "out_weight",
        "self_attn.out_proj.bias": "out_bias",
        "linear1.weight": "ffn1_weight",
        "linear1.bias": "ffn1_bias",
        "linear2.weight": "ffn2_weight",
        "linear2.bias": "ffn2_bias",
        "norm1.weight": "norm1_gain",
        "norm1.bias": "norm1_bias",
        "norm2.weight": "norm2_gain",
        "norm2.bias": "norm2_bias",
    }
    with torch.no_grad():
        for theirs, ours in names.items():
            weight = network.weights[f"b1_attention_{ours}"]
            reference.state_dict()[theirs].copy_(fake_quantise(weight, 8) if ours.endswith("_weight") else weight)
    ids, dense = rows_of(3)
    rows = network.embedding(ids)
    weight = fake_quantise(network.weights["b1_attention_rows_weight"], 8)
    mixed = torch.einsum("sf,nfe->nse", weight, rows) + network.weights["b1_attention_rows_bias"][:, None]
    normal = torch.nn.functional.layer_norm(mixed.transpose(1, 2), (6,)).transpose(1, 2)
    features = forward_pass(network, Path.of(architecture), dense, rows).head_inputs().T
    torch.testing.assert_close(features[:, 8:].reshape(N_ROWS, 6, 8), reference(normal), atol=1e-5, rtol=1e-5)


def test_several_operators_of_a_block_are_added() -> None:
    architecture = random_networks(3, 5)[0]
    blocks = architecture.blocks
    both = Path(architecture, (("fc", "sum"),) * len(blocks), (("efc", "attention"),) * len(blocks))
    ids, dense = rows_of(3)
    supernet = supernet_of(3)
    logits = forward_pass(supernet, both, dense, supernet.embedding(ids)).logits()
    assert logits.shape == (N_ROWS,)
    assert not logits.equal(supernet(ids, dense, architecture))


def test_features_times_head_are_the_logits() -> None:
    supernet, architecture = supernet_of(3), random_networks(3, 8)[0]
    ids, dense = rows_of(3)
    features = supernet.features(ids, dense, architecture)
    head = supernet.cut_out(architecture).weights
    logits = features @ fake_quantise(head["head_weight"], 8)[0] + head["head_bias"]
    torch.testing.assert_close(logits, supernet(ids, dense, architecture), atol=1e-5, rtol=1e-5)


def test_remembered_layers_are_the_same_layers() -> None:
    supernet, architecture = supernet_of(3), random_networks(3, 9)[0]
    ids, dense = rows_of(3)
    remembered = Remembered(supernet)
    for _ in range(2):
        logits = forward_pass(remembered, Path.of(architecture), dense, supernet.embedding(ids)).logits()
        assert logits.equal(supernet(ids, dense, architecture))


def test_a_sample_does_not_depend_on_its_batch() -> None:
    supernet, architecture = supernet_of(3), random_networks(3, 10)[0]
    ids, dense = rows_of(3, n_rows=40)
    one = supernet(ids[7:8], dense[7:8], architecture)
    torch.testing.assert_close(one, supernet(ids, dense, architecture)[7:8], atol=1e-5, rtol=1e-5)


def test_seeds_give_first_weights() -> None:
    first, again, other = (Supernet(space_of(0), CARDINALITIES, seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(first[name].equal(again[name]) for name in first)
    assert not first["embedding.table"].equal(other["embedding.table"])


def test_the_small_space_holds_no_weights_of_other_operators() -> None:
    space = nasrec_space("nasrec-small", n_dense=2, n_sparse=3, n_blocks=2, dense_dims=(4,), sparse_dims=(2,))
    supernet = Supernet(space, (2, 2, 2), seed=0)
    assert not [name for name in supernet.weights if "gate" in name or "sum" in name or "attention" in name]
    architecture = space.networks(space.sample(np.random.default_rng(0), 1))[0]
    assert supernet(torch.zeros(3, 3, dtype=torch.int32), torch.zeros(3, 2), architecture).shape == (3,)


def test_wrong_sizes_are_named() -> None:
    with pytest.raises(ValueError, match=r"one number of rows for each of the 5 categorical fields .* got 2"):
        Supernet(space_of(0), (3, 3), seed=0)
    odd = nasrec_space(n_dense=0, n_sparse=1, n_blocks=1, embedding_dim=7)
    with pytest.raises(ValueError, match="embedding_dim must be a multiple of the 2 attention heads, got 7"):
        Supernet(odd, (3,), seed=0)
    one_bit = nasrec_space(n_dense=0, n_sparse=1, n_blocks=1, weight_bits=(1, 8))
    with pytest.raises(ValueError, match="weight_bits must be at least 2, got 1"):
        Supernet(one_bit, (3,), seed=0)
