"""The supernet, which holds every network of a space, and the stand-alone network that is cut out of it.

A layer of the supernet has one part for each earlier node that it may read, at that node's largest width. A network
uses the parts of the nodes it reads, up to their true widths, and its own first outputs, so it costs what it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from moco.supernet.embedding import Embedding
from moco.supernet.forward import Forward, Inputs, Path, Weights
from moco.supernet.numerics import FLOAT, MIN_BITS, Arithmetic, Linear, fake_quantise
from moco.supernet.operators import NORM_GAIN
from moco.supernet.predictor import Predictor
from spaces.architecture import ATTENTION_HEADS, MAX_INPUTS, MERGER_ROWS, Architecture, ArchitectureBatch
from spaces.nasrec import NasrecSpace
from spaces.shapes import products

HEAD_SCALE = 0.1
"""The head starts at a tenth of its Xavier range, so that first logits are small in every network."""


class Network(Predictor):
    """One network with weights of its own, of the sizes that `spaces.shapes` counts.

    Args:
        architecture: The network; dead parts get no weights.
        cardinalities: Embedding rows of each categorical field.
        n_dense: Dense fields of the data.
        seed: Of the first weights: Xavier-uniform, biases zero.

    Attributes:
        weights: "b1_fc_weight" (n_out, n_in), "b1_fc_bias" (n_out,), ... "head_bias".
    """

    def __init__(self, architecture: Architecture, cardinalities: Sequence[int], n_dense: int, seed: int) -> None:
        super().__init__()
        check_precision(architecture.embedding_dim, [bits for block in architecture.blocks for bits in _bits(block)])
        generator = torch.Generator().manual_seed(seed)
        self.architecture = architecture
        self.n_dense = n_dense
        self.embedding = Embedding(cardinalities, architecture.embedding_dim, generator)
        self.weights = nn.ParameterDict()
        for name, n_in, n_out in _layers(architecture, n_dense, len(cardinalities)):
            scale = HEAD_SCALE if name == "head" else 1.0
            self.weights[f"{name}_weight"] = _xavier(n_out, n_in, n_in, scale, generator)
            self.weights[f"{name}_bias"] = nn.Parameter(torch.zeros(n_out))
            if name.endswith("attention_qkv"):
                _add_norms(self.weights, name.removesuffix("_qkv"), architecture.embedding_dim)

    def linear(self, name: str, inputs: Inputs, n_out: int, bits: int) -> Linear:
        """See `Weights`."""
        return fake_quantise(self.weights[f"{name}_weight"], bits), self.weights[f"{name}_bias"]

    def norm(self, name: str) -> Linear:
        """See `Weights`."""
        return self.weights[f"{name}_gain"], self.weights[f"{name}_bias"]

    def logits(self, dense: Tensor, rows: Tensor, arithmetic: Arithmetic) -> Tensor:
        """See `Predictor`."""
        return forward_pass(self, Path.of(self.architecture), dense, rows, arithmetic).logits()


class Supernet(nn.Module):
    """Shared weights for every network of a space.

    Args:
        space: The networks, and the numbers of fields of the data.
        cardinalities: Embedding rows of each categorical field.
        seed: Of the first weights.

    Raises:
        ValueError: The cardinalities do not fit the space, or a bit width or embedding_dim cannot be computed.
    """

    def __init__(self, space: NasrecSpace, cardinalities: Sequence[int], seed: int) -> None:
        super().__init__()
        if len(cardinalities) != space.n_sparse:
            raise ValueError(
                f"cardinalities must name one number of rows for each of the {space.n_sparse} categorical fields of "
                f"space {space.name!r}, got {len(cardinalities)}"
            )
        check_precision(space.embedding_dim, space.weight_bits)
        generator = torch.Generator().manual_seed(seed)
        self.space = space
        self.embedding = Embedding(cardinalities, space.embedding_dim, generator)
        self.weights = nn.ParameterDict()
        for name, n_out, slots in _shared_layers(space):
            scale = HEAD_SCALE if name == "head" else 1.0
            n_read = sum(width for _, width in slots) * _share_read(slots)
            for slot, n_in in slots:
                if n_in > 0:
                    self.weights[_part(name, slot)] = _xavier(n_out, n_in, n_read, scale, generator)
            self.weights[f"{name}_bias"] = nn.Parameter(torch.zeros(n_out))
        if "attention" in space.sparse_operators:
            for block in range(1, space.n_blocks + 1):
                _add_norms(self.weights, f"b{block}_attention", space.embedding_dim)

    def linear(self, name: str, inputs: Inputs, n_out: int, bits: int) -> Linear:
        """See `Weights`."""
        return fake_quantise(self._shared(name, inputs, n_out), bits), self.weights[f"{name}_bias"][:n_out]

    def _shared(self, name: str, inputs: Inputs, n_out: int) -> Tensor:
        """(n_out, n_in) weight before rounding."""
        parts = [self.weights[_part(name, slot)][:n_out, :n_in] for slot, n_in in inputs if n_in > 0]
        if not parts:
            return torch.empty(n_out, 0, device=self.embedding.table.device)
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)

    def norm(self, name: str) -> Linear:
        """See `Weights`."""
        return self.weights[f"{name}_gain"], self.weights[f"{name}_bias"]

    def forward(self, ids: Tensor, dense: Tensor, architecture: Architecture) -> Tensor:
        """(N,) logits of one network for (N, F) field-local ids and (N, D) dense values."""
        return forward_pass(self, Path.of(architecture), dense, self.embedding(ids)).logits()

    def features(self, ids: Tensor, dense: Tensor, architecture: Architecture) -> Tensor:
        """(N, n) inputs of the network's head."""
        return forward_pass(self, Path.of(architecture), dense, self.embedding(ids)).head_inputs().T

    @torch.no_grad()
    def cut_out(self, architecture: Architecture) -> Network:
        """An independent network with a copy of its share of the weights; it computes the same numbers."""
        device = self.embedding.table.device
        network = Network(architecture, self.embedding.cardinalities, self.space.n_dense, seed=0).to(device)
        network.embedding.table.copy_(self.embedding.table)
        dense = torch.zeros(1, self.space.n_dense, device=device)
        forward_pass(
            _Copying(self, network),
            Path.of(architecture),
            dense,
            self.embedding.table.new_zeros(1, self.space.n_sparse, self.space.embedding_dim),
        ).logits()
        return network


class _Copying:
    """Weights that copy every layer that a forward pass asks for from the supernet into a network."""

    def __init__(self, supernet: Supernet, network: Network) -> None:
        self._supernet = supernet
        self._network = network

    def linear(self, name: str, inputs: Inputs, n_out: int, bits: int) -> Linear:
        weight, bias = self._supernet._shared(name, inputs, n_out), self._supernet.weights[f"{name}_bias"][:n_out]
        self._network.weights[f"{name}_weight"].copy_(weight)
        self._network.weights[f"{name}_bias"].copy_(bias)
        return weight, bias

    def norm(self, name: str) -> Linear:
        gain, bias = self._supernet.norm(name)
        self._network.weights[f"{name}_gain"].copy_(gain)
        self._network.weights[f"{name}_bias"].copy_(bias)
        return gain, bias


class Remembered:
    """Weights that remember each layer, for several batches through one network without gradients."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._layers: dict[str, Linear] = {}

    def linear(self, name: str, inputs: Inputs, n_out: int, bits: int) -> Linear:
        """See `Weights`."""
        if name not in self._layers:
            self._layers[name] = self._weights.linear(name, inputs, n_out, bits)
        return self._layers[name]

    def norm(self, name: str) -> Linear:
        """See `Weights`."""
        return self._weights.norm(name)


def forward_pass(weights: Weights, path: Path, dense: Tensor, rows: Tensor, arithmetic: Arithmetic = FLOAT) -> Forward:
    """A forward pass of (N, D) dense values and (N, F, E) embedded rows."""
    return Forward(path, weights, dense.T.contiguous(), features_first(rows), arithmetic)


def features_first(rows: Tensor) -> Tensor:
    """(N, F, E) embedded rows as (F, E, N)."""
    return rows.flatten(1).T.contiguous().view(*rows.shape[1:], len(rows))


def check_precision(embedding_dim: int, weight_bits: Sequence[int]) -> None:
    """ValueError when a network of this embedding width and these weight bits cannot be computed."""
    if embedding_dim % ATTENTION_HEADS:
        raise ValueError(
            f"embedding_dim must be a multiple of the {ATTENTION_HEADS} attention heads, got {embedding_dim}"
        )
    if min(weight_bits) < MIN_BITS:
        raise ValueError(f"weight_bits must be at least {MIN_BITS}, got {min(weight_bits)}")


def _bits(block: object) -> list[int]:
    return [getattr(block, name) for name in ("dense_bits", "sparse_bits", "dense_to_sparse_bits", "fm_bits")]


def _layers(architecture: Architecture, n_dense: int, n_sparse: int) -> Iterator[tuple[str, int, int]]:
    """Name, inputs and outputs of every layer of the live part of a network."""
    made = products(ArchitectureBatch.of([architecture]), n_dense, n_sparse)
    for column, product_name in enumerate(made.names):
        if made.n_vectors[0, column] == 0 or made.is_activation_product[column]:
            continue
        name = product_name.replace(".", "_")
        if name.endswith("_resize"):
            block = architecture.blocks[int(name.removesuffix("_resize")[1:]) - 1]
            name = name.replace("resize", "gate_resize" if block.dense_operator == "gating" else "sum_resize")
        yield name, int(made.in_features[0, column]), int(made.out_features[0, column])


def _shared_layers(space: NasrecSpace) -> Iterator[tuple[str, int, list[tuple[str, int]]]]:
    """Name, largest number of outputs, and slots (with their largest numbers of inputs) of every shared layer."""
    width, dense_dim, sparse_dim = space.embedding_dim, max(space.dense_dims), max(space.sparse_dims)
    n_rows = round(math.sqrt(2 * dense_dim))
    merged = MERGER_ROWS * width
    dense_slots, sparse_slots = [("from0", space.input_width)], [("from0", space.n_sparse)]
    for number in range(1, space.n_blocks + 1):
        name = f"b{number}"
        pair = [("", max(n for _, n in dense_slots))]
        if "fc" in space.dense_operators:
            yield f"{name}_fc", dense_dim, list(dense_slots)
        if "dot-product" in space.dense_operators:
            yield f"{name}_dot_dense", width, list(dense_slots)
            yield f"{name}_dot_sparse", n_rows, list(sparse_slots)
            yield f"{name}_dot_pairs", dense_dim, [("", n_rows * (n_rows + 1) // 2)]
        if "gating" in space.dense_operators:
            yield f"{name}_gate", pair[0][1], pair
            yield f"{name}_gate_resize", dense_dim, pair
        if "sum" in space.dense_operators:
            yield f"{name}_sum_resize", dense_dim, pair
        if "efc" in space.sparse_operators:
            yield f"{name}_efc", sparse_dim, list(sparse_slots)
        if "attention" in space.sparse_operators:
            yield f"{name}_attention_rows", sparse_dim, list(sparse_slots)
            yield f"{name}_attention_qkv", 3 * width, [("", width)]
            for layer in ("out", "ffn1", "ffn2"):
                yield f"{name}_attention_{layer}", width, [("", width)]
        yield f"{name}_dense_to_sparse", merged, [("", dense_dim)]
        yield f"{name}_fm", dense_dim, [("", width)]
        dense_slots.append((f"from{number}", dense_dim))
        sparse_slots += [(f"from{number}", sparse_dim), (f"from{number}_merged", MERGER_ROWS)]
    yield "head", 1, [("dense", dense_dim), ("rows", sparse_dim * width), ("merged", merged)]


def _share_read(slots: Sequence[tuple[str, int]]) -> float:
    """Share of the slots of earlier nodes that a middling network reads: half of what it may read."""
    n_nodes = len({slot.removesuffix("_merged") for slot, _ in slots if slot.startswith("from")})
    return (1 + min(MAX_INPUTS, n_nodes)) / 2 / n_nodes if n_nodes else 1.0


def _part(name: str, slot: str) -> str:
    return f"{name}_{slot or 'weight'}"


def _xavier(n_out: int, n_in: int, n_read: float, scale: float, generator: torch.Generator) -> nn.Parameter:
    """(n_out, n_in) part of a layer that reads n_read inputs, uniform in Xavier's range times scale."""
    bound = scale * math.sqrt(6 / (n_read + n_out)) if n_out else 0.0
    return nn.Parameter(torch.empty(n_out, n_in).uniform_(-bound, bound, generator=generator))


def _add_norms(weights: nn.ParameterDict, name: str, width: int) -> None:
    for norm in ("norm1", "norm2"):
        weights[f"{name}_{norm}_gain"] = nn.Parameter(torch.full((width,), NORM_GAIN))
        weights[f"{name}_{norm}_bias"] = nn.Parameter(torch.zeros(width))
