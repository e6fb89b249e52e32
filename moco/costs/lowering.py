"""From networks and the data's fields to the work a chip has to do.

The operators of a network become the hardware model's records: matrix products by static weights, products of two
activations, element-wise work and embedding lookups, and the graph of who waits for whom. Dead parts become absent
records, which cost nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moco.costs.work_graph import Column, WorkGraph
from pimmodel import Kind, PimConfig, Workload
from spaces import ArchitectureBatch, Products, liveness, products, widths
from spaces.architecture import ATTENTION, ATTENTION_HEADS, DOT_PRODUCT, EFC, FC, GATING, SUM
from spaces.liveness import reads
from spaces.shapes import ACTIVATION_PRODUCTS


def lower(
    networks: ArchitectureBatch, n_dense: int, cardinalities: Sequence[int], made: Products | None = None
) -> Workload:
    """The work of one inference of each network.

    Args:
        networks: B networks.
        n_dense: Dense fields of the data.
        cardinalities: (F,) rows of each categorical field's embedding table.
        made: The networks' live products where they are known already.

    Returns:
        A workload of B networks over one list of operators, named such as "b1.fc"; "embedding" reads one row a field,
        and "head" ends the network.
    """
    n_sparse, width = len(cardinalities), networks.embedding_dim
    live = liveness(networks)
    size = widths(networks, n_dense, n_sparse)
    made = products(networks, n_dense, n_sparse, live) if made is None else made
    slot = {name: column for column, name in enumerate(made.names)}
    graph = WorkGraph(len(networks))

    def product(name: str, *waits_for: int | tuple[int, Column]) -> int:
        column = slot[name]
        kind = Kind.PRODUCT if name.partition(".")[2] in ACTIVATION_PRODUCTS else Kind.MVM
        in_features = made.in_features[:, column]
        n_vectors = np.where(in_features > 0, made.n_vectors[:, column], 0)  # a layer on nothing is its bias alone
        shape = (in_features, made.out_features[:, column], n_vectors)
        return graph.add(name, kind, *shape, waits_for=waits_for, weight_bits=made.weight_bits[:, column])

    def elementwise(name: str, function: str, n_elements: Column, *waits_for: int | tuple[int, Column]) -> int:
        return graph.add(name, Kind.ELEMENTWISE, 0, n_elements, 1, waits_for=waits_for, function=function)

    def join(name: str, *waits_for: int | tuple[int, Column]) -> int:
        return graph.add(name, Kind.ELEMENTWISE, 0, 0, 0, waits_for=waits_for, function="add")

    embedding = graph.add("embedding", Kind.LOOKUP, int(sum(cardinalities)), width, n_sparse)
    dense_out, sparse_out = [join("input", *([embedding] if networks.has_flat_input else []))], [embedding]
    for index in range(networks.n_blocks):
        name = f"b{index + 1}."
        operator, sparse_operator = networks.dense_operator[:, index], networks.sparse_operator[:, index]
        d, s = networks.dense_dim[:, index], networks.sparse_dim[:, index]
        wide, rows = size.pair_in[:, index], s * width
        is_dense = [live.dense_operator[:, index] & (operator == code) for code in (FC, DOT_PRODUCT, GATING, SUM)]
        is_fc, is_dot, is_gating, is_sum = is_dense
        is_efc, is_attention = (live.sparse_operator[:, index] & (sparse_operator == code) for code in (EFC, ATTENTION))
        is_fm, is_merged = live.fm[:, index], live.dense_to_sparse[:, index]
        reads_dense, reads_sparse = live.reads_dense_inputs[:, index], live.reads_sparse_inputs[:, index]
        reads_pair = live.reads_left_right[:, index]

        dense_in = join(
            name + "dense_in",
            *(
                (
                    dense_out[node],
                    (reads_dense & reads(networks.dense_inputs[:, index], node))
                    | (reads_pair & ((networks.left[:, index] == node) | (networks.right[:, index] == node))),
                )
                for node in range(index + 1)
            ),
        )
        sparse_in = join(
            name + "sparse_in",
            *(
                (sparse_out[node], reads_sparse & reads(networks.sparse_inputs[:, index], node))
                for node in range(index + 1)
            ),
        )
        fc = elementwise(name + "fc_relu", "relu", d * is_fc, product(name + "fc", dense_in))
        gram = product(
            name + "dot_gram",
            product(name + "dot_dense", dense_in),
            product(name + "dot_sparse", (sparse_in, is_dot)),
        )
        pairs = product(name + "dot_pairs", gram)
        sigmoid = elementwise(name + "gate_sigmoid", "sigmoid", wide * is_gating, product(name + "gate", dense_in))
        gated = elementwise(name + "gate_multiply", "multiply", wide * is_gating, sigmoid)
        added = elementwise(name + "sum_add", "add", wide * is_sum, dense_in)
        dense = join(name + "dense", fc, pairs, product(name + "resize", gated, added))

        efc = elementwise(name + "efc_relu", "relu", rows * is_efc, product(name + "efc", sparse_in))
        normed = elementwise(
            name + "attention_rows_norm", "layernorm", rows * is_attention, product(name + "attention_rows", sparse_in)
        )
        scores = product(name + "attention_scores", product(name + "attention_qkv", normed))
        softmax = elementwise(name + "attention_softmax", "softmax", ATTENTION_HEADS * s * s * is_attention, scores)
        context = product(name + "attention_out", product(name + "attention_context", softmax))
        residual = elementwise(name + "attention_add", "add", rows * is_attention, context)
        middle = elementwise(name + "attention_norm", "layernorm", rows * is_attention, residual)
        hidden = elementwise(
            name + "attention_relu", "relu", rows * is_attention, product(name + "attention_ffn1", middle)
        )
        ffn = elementwise(
            name + "attention_ffn_add", "add", rows * is_attention, product(name + "attention_ffn2", hidden)
        )
        attention = elementwise(name + "attention_ffn_norm", "layernorm", rows * is_attention, ffn)
        sparse = join(name + "sparse", efc, attention)

        merged = product(name + "dense_to_sparse", (dense, is_merged))
        # (sum of rows)^2 - sum of squares: a square and two additions for each element of the rows.
        squares = elementwise(name + "fm_square", "multiply", (rows + width) * is_fm, (sparse, is_fm))
        sums = elementwise(name + "fm_sum", "add", 2 * rows * is_fm, squares)
        fm = elementwise(name + "fm_add", "add", d * is_fm, product(name + "fm", sums))
        dense_out.append(join(name + "dense_out", dense, fm))
        sparse_out.append(join(name + "sparse_out", sparse, merged))
    elementwise("head_sigmoid", "sigmoid", 1, product("head", dense_out[-1], sparse_out[-1]))
    return graph.workload()


def pim_config(hardware: Mapping[str, NDArray[Any]]) -> PimConfig:
    """The hardware model's configuration of B chosen chips, given as (B,) values by choice name."""
    values = dict(hardware)
    values["n_active_wordlines"] = values["crossbar_size"] // values.pop("wordline_groups")
    return PimConfig(**values)
