"""FinalMLP: two deep parts, each on its own choice of features, and a bilinear fusion."""

from __future__ import annotations

from dataclasses import dataclass

from moco.baselines.deep import DeepStructure, mlp
from moco.baselines.hand_made import Fields
from moco.baselines.passes import Pass, V


@dataclass(frozen=True, kw_only=True)
class FinalMlp(DeepStructure):
    """Gates from one field each weight the features of two deep parts; heads multiply these bilinearly.

    Source: Mao et al., AAAI 2023, arXiv 2304.00902. Gates read the embeddings that all read; the authors' code gives
    them tables of their own.

    Attributes:
        hidden: Widths of the first deep part.
        second_hidden: Widths of the second one.
        gate_hidden: Widths of the layers from a field to its gate.
        gate_fields: The fields that gates read; 1 stands for the last one where there is one alone.
        n_heads: Heads of the fusion.
    """

    hidden: tuple[int, ...] = (400,)
    second_hidden: tuple[int, ...] = (100,)
    gate_hidden: tuple[int, ...] = (400,)
    gate_fields: tuple[int, int] = (0, 1)
    n_heads: int = 5

    def __post_init__(self) -> None:
        DeepStructure.__post_init__(self)
        for widths in (self.hidden, self.second_hidden):
            if not widths or widths[-1] % self.n_heads:
                raise ValueError(f"last hidden widths must be multiples of the {self.n_heads} heads, got {widths}")

    def logit(self, run: Pass[V], fields: Fields[V]) -> V:
        """See `Structure`."""
        x = run.flat(fields.rows)
        parts = []
        for name, field, widths in zip(
            ("first", "second"), self.gate_fields, (self.hidden, self.second_hidden), strict=True
        ):
            field = min(field, run.shape(fields.rows)[0] - 1)
            gated = self._gated(run, f"{name}_gate", run.flat(run.part(fields.rows, field, field + 1)), x)
            parts.append(mlp(run, name, gated, widths, self.dropout, has_batch_norm=self.has_batch_norm))
        return self._fused(run, *parts)

    def _gated(self, run: Pass[V], name: str, context: V, x: V) -> V:
        """(n,) x, weighted by numbers between 0 and 2 that a field decides."""
        gate = run.layer(name, mlp(run, name, context, self.gate_hidden), run.shape(x)[0])
        return run.scaled(run.multiply(run.sigmoid(gate), x), 2.0)

    def _fused(self, run: Pass[V], left: V, right: V) -> V:
        """(1,) a layer on each, and the sum of x' W y over the heads' parts x and y of both."""
        n_left, n_right = (run.shape(x)[0] // self.n_heads for x in (left, right))
        terms = [run.layer("first_head", left, 1), run.layer("second_head", right, 1, has_bias=False)]
        for head in range(self.n_heads):
            x, y = (
                run.part(left, head * n_left, (head + 1) * n_left),
                run.part(right, head * n_right, (head + 1) * n_right),
            )
            mixed = run.layer(f"fusion_{head + 1}", x, n_right, has_bias=False)
            terms.append(run.total(run.multiply(mixed, y)))
        return run.add(*terms)
