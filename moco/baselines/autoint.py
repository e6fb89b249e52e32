"""AutoInt+: self-attention between fields."""

from __future__ import annotations

from dataclasses import dataclass

from moco.baselines.deep import DeepStructure
from moco.baselines.hand_made import Fields
from moco.baselines.passes import Pass, V


@dataclass(frozen=True, kw_only=True)
class AutoInt(DeepStructure):
    """Attention layers and a deep part side by side.

    Source: Song et al., CIKM 2019, arXiv 1810.11921; with the deep part ("+"), scaled scores and layer norms, as in
    BARS.

    Attributes:
        n_layers: Attention layers.
        n_heads: Heads of each.
        attention_dim: Width of a row in attention, all heads together.
    """

    n_layers: int = 3
    n_heads: int = 2
    attention_dim: int = 64

    def __post_init__(self) -> None:
        DeepStructure.__post_init__(self)
        if self.attention_dim % self.n_heads:
            raise ValueError(f"attention_dim must be a multiple of the {self.n_heads} heads, got {self.attention_dim}")

    def logit(self, run: Pass[V], fields: Fields[V]) -> V:
        """See `Structure`."""
        rows = fields.rows
        for number in range(1, self.n_layers + 1):
            rows = self._attention(run, f"attention_{number}", rows)
        deep = run.layer("head", self.deep(run, run.flat(fields.rows)), 1)
        return run.add(run.layer("attention_head", run.flat(rows), 1), deep)

    def _attention(self, run: Pass[V], name: str, rows: V) -> V:
        """(k, E) to (k, attention_dim), with a residual and a layer norm."""
        width, head = self.attention_dim, self.attention_dim // self.n_heads
        is_resized = run.shape(rows)[1] != width
        made = run.width_layer(f"{name}_qkv", rows, 3 * width)
        parts = run.split(made, [head] * (3 * self.n_heads))
        contexts = []
        for number in range(self.n_heads):
            query, key, value = parts[number :: self.n_heads]
            query = run.scaled(query, head**-0.5)
            scores = run.activation_product(f"{name}_scores_{number + 1}", query, run.transposed(key))
            contexts.append(run.activation_product(f"{name}_context_{number + 1}", run.softmax(scores), value))
        residual = run.width_layer(f"{name}_residual", rows, width) if is_resized else rows
        return run.relu(run.layer_norm(f"{name}_norm", run.add(run.side_by_side(contexts), residual)))
