"""MaskNet: layers whose inputs are weighted by masks that come from the whole sample."""

from __future__ import annotations

from dataclasses import dataclass

from moco.baselines.deep import DeepStructure
from moco.baselines.hand_made import Fields
from moco.baselines.passes import Pass, V


@dataclass(frozen=True, kw_only=True)
class MaskNet(DeepStructure):
    """Mask blocks side by side, then the deep part.

    Source: Wang, She and Zhang, DLP-KDD 2021, arXiv 2102.07619, the parallel form; blocks with layer norms, embeddings
    and deep part without, as in BARS.

    Attributes:
        n_blocks: Mask blocks.
        block_dim: Outputs of each.
        expansion: Width of the layer that makes a mask, as a multiple of the inputs.
    """

    has_batch_norm: bool = False
    n_blocks: int = 3
    block_dim: int = 50
    expansion: float = 2.0

    def logit(self, run: Pass[V], fields: Fields[V]) -> V:
        """See `Structure`."""
        x = run.flat(fields.rows)
        blocks = [self._block(run, f"mask_{number}", x) for number in range(1, self.n_blocks + 1)]
        return run.layer("head", self.deep(run, run.concatenated(blocks)), 1)

    def _block(self, run: Pass[V], name: str, x: V) -> V:
        """(n,) to (block_dim,)."""
        n = run.shape(x)[0]
        mask = run.layer(f"{name}_out", run.relu(run.layer(f"{name}_in", x, round(self.expansion * n))), n)
        y = run.layer(f"{name}_block", run.multiply(mask, x), self.block_dim, has_bias=False)
        return run.dropped(run.relu(run.layer_norm(f"{name}_norm", y)), self.dropout)
