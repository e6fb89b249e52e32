"""The ONNX graph computes what torch does, for random networks of the space and for every operator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moco.export import graph
from moco.export.onnx_network import write_onnx
from moco.export.runtime import onnx_probability
from spaces.architecture import DENSE_OPERATORS, SPARSE_OPERATORS, Architecture

CARDINALITIES = (5, 3, 7, 4, 6)


def rows_of(n_dense: int, n_rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, CARDINALITIES, size=(n_rows, len(CARDINALITIES)), dtype=np.int32)
    return ids, rng.standard_normal((n_rows, n_dense)).astype(np.float32)


@pytest.fixture(scope="module")
def agrees(make: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Compares a network's graph with torch."""
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"

    def check(architecture: Architecture, n_dense: int, seed: int = 0) -> None:
        network = make.network(architecture, CARDINALITIES, n_dense, seed)
        write_onnx(network, path, "a test")
        probability = onnx_probability(path)
        for n_rows in (1, 40):
            rows = rows_of(n_dense, n_rows, seed)
            given_, due = probability(*rows), make.probability(network, rows)
            assert given_.shape == (n_rows,)
            np.testing.assert_allclose(given_, due, rtol=0, atol=1e-5)

    return check


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(n_dense=st.sampled_from([0, 1, 3, 8]), seed=st.integers(0, 10_000))
def test_random_networks(make: Any, agrees: Any, n_dense: int, seed: int) -> None:
    agrees(make.architectures(n_dense, len(CARDINALITIES), seed)[0], n_dense, seed)


@pytest.mark.parametrize("n_dense", [0, 5, 8])
@pytest.mark.parametrize("sparse_operator", SPARSE_OPERATORS)
@pytest.mark.parametrize("dense_operator", DENSE_OPERATORS)
def test_every_operator_with_both_mergers(
    make: Any, agrees: Any, dense_operator: str, sparse_operator: str, n_dense: int
) -> None:
    agrees(make.with_mergers(dense_operator, sparse_operator), n_dense)


def test_a_graph_names_its_inputs_and_layers(make: Any, tmp_path: Path) -> None:
    architecture = make.architectures(3, len(CARDINALITIES), 1)[0]
    write_onnx(make.network(architecture, CARDINALITIES, 3), tmp_path / "model.onnx", "for people")
    model = onnx.load(tmp_path / "model.onnx")
    shapes = {
        one.name: [size.dim_param or size.dim_value for size in one.type.tensor_type.shape.dim]
        for one in (*model.graph.input, *model.graph.output)
    }
    assert shapes == {"ids": ["N", 5], "dense": ["N", 3], "probability": ["N"]}
    assert model.doc_string == "for people"
    assert {"embedding", "head"} <= {node.name for node in model.graph.node}


def test_a_large_table_lies_beside_the_graph(make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "EXTERNAL_ABOVE_BYTES", 100)
    network = make.network(make.architectures(2, len(CARDINALITIES), 4)[0], CARDINALITIES, 2)
    write_onnx(network, tmp_path / "model.onnx", "")
    assert (tmp_path / "model.onnx.table").stat().st_size == network.embedding.table.numel() * 4
    rows = rows_of(2, 20)
    np.testing.assert_allclose(
        onnx_probability(tmp_path / "model.onnx")(*rows), make.probability(network, rows), rtol=0, atol=1e-5
    )
