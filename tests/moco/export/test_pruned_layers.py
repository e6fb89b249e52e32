"""The ONNX graph of a pruned network computes what torch does, with layers of the sizes that are left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moco.export.onnx_network import write_onnx
from moco.export.runtime import onnx_probability
from moco.pruning import PrunedNetwork, pruned
from spaces import from_compact
from spaces.architecture import DENSE_OPERATORS, SPARSE_OPERATORS

CARDINALITIES = (5, 3, 7, 4, 6)


def weight_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """(outputs, inputs) of every layer that the graph has, and all its other weights."""
    shapes = {one.name: tuple(one.dims) for one in onnx.load(path).graph.initializer}
    found = {name.removesuffix("_weight"): shape for name, shape in shapes.items() if name.endswith("_weight")}
    of_columns = ("_attention_qkv", "_attention_out", "_attention_ffn1", "_attention_ffn2")  # these stand transposed
    return {name: shape[::-1] if name.endswith(of_columns) else shape for name, shape in found.items()}


@pytest.fixture(scope="module")
def check(make: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Compares a pruned network's graph with torch, and its weights' sizes with what is left."""
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"

    def check(network: PrunedNetwork, seed: int = 0) -> dict[str, tuple[int, ...]]:
        write_onnx(network, path, "a test")
        probability, rng = onnx_probability(path), np.random.default_rng(seed)
        for n_rows in (1, 30):
            ids = rng.integers(0, CARDINALITIES, size=(n_rows, len(CARDINALITIES)), dtype=np.int32)
            dense = rng.standard_normal((n_rows, network.n_dense)).astype(np.float32)
            given_, due = probability(ids, dense), make.probability(network, (ids, dense))
            np.testing.assert_allclose(given_, due, rtol=0, atol=1e-5)
        shapes = weight_shapes(path)
        left = {name: (len(layer.outputs), len(layer.inputs)) for name, layer in network.cut.layers.items()}
        assert shapes == {
            name: shape for name, shape in left.items() if min(shape) > 0
        }  # a layer on nothing: no weight
        return shapes

    return check


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(n_dense=st.sampled_from([0, 1, 3, 8]), seed=st.integers(0, 10_000))
def test_random_units_of_random_networks(make: Any, check: Any, n_dense: int, seed: int) -> None:
    architecture = make.architectures(n_dense, len(CARDINALITIES), seed)[0]
    check(make.pruned(make.network(architecture, CARDINALITIES, n_dense, seed), seed), seed)


@pytest.mark.parametrize("n_dense", [0, 5, 8])
@pytest.mark.parametrize("sparse_operator", SPARSE_OPERATORS)
@pytest.mark.parametrize("dense_operator", DENSE_OPERATORS)
def test_every_operator_with_both_mergers(
    make: Any, check: Any, dense_operator: str, sparse_operator: str, n_dense: int
) -> None:
    network = make.network(make.with_mergers(dense_operator, sparse_operator), CARDINALITIES, n_dense)
    for seed in range(2):
        check(make.pruned(network, seed), seed)


@pytest.mark.parametrize(
    ("network", "kept", "expected"),
    [
        # 3 dense fields and 5 rows of 8; the second FC reads two neurons and gives three.
        pytest.param(
            "FC8|EFC2|00|0|0|0,0 ; FC16|EFC2|00|1|0|0,0",
            {"b1_fc": (1, 5), "b2_fc": (0, 7, 15), "b2_efc": (1,)},
            {"b1_fc": (2, 3), "b2_fc": (3, 2), "b2_efc": (1, 5), "head": (1, 3 + 8)},
            id="fc-into-fc",
        ),
        # Dense row and 3 of 6 rows left: 4 * 3 / 2 = 6 pairs.
        pytest.param(
            "DP16|EFC2|00|0|0|0,0",
            {"b1_dot_sparse": (0, 2, 5), "b1_dot_pairs": (7,)},
            {
                "b1_dot_dense": (8, 3),
                "b1_dot_sparse": (3, 5),
                "b1_dot_pairs": (1, 6),
                "b1_efc": (2, 5),
                "head": (1, 1 + 16),
            },
            id="dot-product",
        ),
        # Right has places 0 and 9 alone: two gates of four inputs, and what they let through goes to the head.
        pytest.param(
            "FC16|EFC2|00|0|0|0,0 ; FC4|EFC2|00|0|0|0,0 ; SG16|EFC2|00|0|0|2,1",
            {"b1_fc": (0, 9)},
            {"b1_fc": (2, 3), "b2_fc": (4, 3), "b3_gate": (2, 4), "b3_efc": (2, 5), "head": (1, 2 + 16)},
            id="gates",
        ),
        # Two rows attend to each other; three hidden neurons.
        pytest.param(
            "FC16|ATT6|00|0|0|0,0",
            {"b1_attention_rows": (0, 2), "b1_attention_ffn1": (1, 2, 3)},
            {
                "b1_fc": (16, 3),
                "b1_attention_rows": (2, 5),
                "b1_attention_qkv": (24, 8),
                "b1_attention_out": (8, 8),
                "b1_attention_ffn1": (3, 8),
                "b1_attention_ffn2": (8, 3),
                "head": (1, 16 + 16),
            },
            id="attention",
        ),
        # One row and two of eight merger rows are read; of one row there are no pairs, so the machine is its bias.
        pytest.param(
            "FC16|EFC2|11|0|0|0,0 ; FC8|EFC3|00|1|1|0,0",
            {"b1_fc": (4, 5), "b1_dense_to_sparse": (0, 7), "b1_efc": (1,), "b1_fm": (3, 5)},
            {
                "b1_fc": (2, 3),
                "b1_efc": (1, 5),
                "b1_dense_to_sparse": (16, 2),
                "b2_fc": (8, 3),
                "b2_efc": (3, 3),
                "head": (1, 8 + 24),
            },
            id="merger-rows",
        ),
    ],
)
def test_sizes_by_hand(
    make: Any, check: Any, network: str, kept: dict[str, tuple[int, ...]], expected: dict[str, tuple[int, int]]
) -> None:
    whole = make.network(from_compact(network, embedding_dim=8), CARDINALITIES, 3)
    assert check(pruned(whole, kept)) == expected


def test_with_all_kept_the_graph_is_that_of_the_network(make: Any, tmp_path: Path) -> None:
    whole = make.network(make.with_mergers("dot-product", "attention"), CARDINALITIES, 3)
    graphs = []
    for network in (whole, pruned(whole, {})):
        write_onnx(network, tmp_path / "model.onnx", "")
        graphs.append(onnx.load(tmp_path / "model.onnx").graph)
    assert graphs[0] == graphs[1]
