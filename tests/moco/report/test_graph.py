"""Networks as graphs: every live operator and connection once, and nothing dead."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.patches import FancyBboxPatch

from moco.report import network_figure
from moco.report.figures import png
from moco.report.graph import DENSE, HEAD, SPARSE, drawing_of, picture_name
from spaces import Architecture, ArchitectureBatch, Block, liveness, nasrec_space

N_FIELDS = 5
SPACES = {
    n_dense: nasrec_space(
        n_dense=n_dense, n_sparse=N_FIELDS, n_blocks=6, dense_dims=(16, 128), sparse_dims=(4, 8), weight_bits=(4, 8)
    )
    for n_dense in (0, 3)
}
LINEAR = Block(
    dense_operator="fc", sparse_operator="efc", dense_inputs=(0,), sparse_inputs=(0,), left=0, right=0,
    dense_dim=16, sparse_dim=4,
)  # fmt: skip


def random_network(n_dense: int, seed: int) -> Architecture:
    space = SPACES[n_dense]
    return space.networks(space.sample(np.random.default_rng(seed), 1))[0]


@given(st.sampled_from((0, 3)), st.integers(0, 2**32))
@settings(max_examples=60)
def test_boxes_and_arrows_are_the_live_part(n_dense: int, seed: int) -> None:
    network = random_network(n_dense, seed)
    live = liveness(ArchitectureBatch.of([network]))
    drawing = drawing_of(network, n_dense, N_FIELDS)
    assert sum(lane == HEAD for _, lane in drawing.boxes) == 1
    has_dense_input = n_dense > 0 and bool(live.dense_node[0, 0])
    assert sum(lane == DENSE for _, lane in drawing.boxes) == live.dense_operator.sum() + has_dense_input
    assert sum(lane == SPARSE for _, lane in drawing.boxes) == live.sparse_operator.sum() + live.sparse_node[0, 0]
    assert all(edge.source in drawing.boxes and edge.target in drawing.boxes for edge in drawing.edges)
    assert len(set(drawing.edges)) == len(drawing.edges)
    n_mergers = live.dense_to_sparse.sum() + live.fm.sum()
    n_shared = sum(merger.text == "same\ninputs" for merger in drawing.mergers)
    assert len(drawing.mergers) == n_mergers + n_shared
    sources = {edge.source for edge in drawing.edges} | {
        (merger.column, merger.flow) for merger in drawing.mergers if merger.text != "same\ninputs"
    }
    assert sources | {(drawing.n_columns - 1, HEAD)} == set(drawing.boxes)  # whatever is drawn is read


@pytest.mark.parametrize("n_dense", [0, 3])
@pytest.mark.parametrize("seed", range(3))
def test_a_random_network_can_be_drawn(n_dense: int, seed: int) -> None:
    network = random_network(n_dense, seed)
    figure = network_figure(network, n_dense, N_FIELDS)
    boxes = [patch for patch in figure.axes[0].patches if isinstance(patch, FancyBboxPatch)]
    assert len(boxes) == len(drawing_of(network, n_dense, N_FIELDS).boxes)
    assert png(figure) == png(network_figure(network, n_dense, N_FIELDS))


def test_a_linear_network_by_hand() -> None:
    drawing = drawing_of(Architecture(blocks=(LINEAR,), embedding_dim=8), 3, N_FIELDS)
    assert drawing.boxes == {
        (0, DENSE): ("input", "3 dense fields"),
        (0, SPARSE): ("input", "5 embeddings", "of 8"),
        (1, DENSE): ("b1 · FC", "16 wide", "8-bit weights"),
        (1, SPARSE): ("b1 · EFC", "4 rows of 8", "8-bit weights"),
        (2, HEAD): ("head", "48 inputs", "8-bit weights"),  # 16 + 4 * 8
    }
    assert [(edge.flow, edge.source, edge.target) for edge in drawing.edges] == [
        (DENSE, (0, DENSE), (1, DENSE)),
        (SPARSE, (0, SPARSE), (1, SPARSE)),
        (DENSE, (1, DENSE), (2, HEAD)),
        (SPARSE, (1, SPARSE), (2, HEAD)),
    ]
    assert drawing.mergers == []


def test_without_dense_fields_there_is_no_dense_input() -> None:
    drawing = drawing_of(Architecture(blocks=(LINEAR,), embedding_dim=8), 0, N_FIELDS)
    assert (0, DENSE) not in drawing.boxes
    assert drawing.boxes[1, DENSE] == ("b1 · FC", "16 wide", "no weights")


def test_dead_blocks_leave_no_gap() -> None:
    dead = Architecture(blocks=(LINEAR, LINEAR, LINEAR))
    assert {column for column, _ in drawing_of(dead, 3, N_FIELDS).boxes} == {0, 1, 2}
    assert drawing_of(dead, 3, N_FIELDS).boxes[1, DENSE][0] == "b3 · FC"


def test_role_becomes_a_file_name() -> None:
    assert picture_name("Second most accurate / <b>") == "network_second_most_accurate_b.png"
