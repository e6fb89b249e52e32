"""FuxiCTR's DeepFM, an epoch or a pass of predictions at a time, for bench_deepfm: runs in an environment of its own.

Model parts, loss, penalty, optimiser and training step are FuxiCTR's; its batches come from tensors in memory, since
its own loader needs Ray and is several times slower.

python fuxictr_deepfm.py ARRAYS.npz: for every line "train" or "predict" on standard input, prints the seconds.
"""

from __future__ import annotations

import sys
import time
from collections import OrderedDict

import numpy as np
import torch
from fuxictr.features import FeatureMap
from fuxictr.pytorch.layers import FactorizationMachine, FeatureEmbedding, MLP_Block
from fuxictr.pytorch.models import BaseModel


class DeepFM(BaseModel):
    """As in FuxiCTR's model zoo, with the hyper-parameters of BARS for Frappe_x1."""

    def __init__(self, feature_map: FeatureMap) -> None:
        super().__init__(
            feature_map, embedding_regularizer="l2(0.05)", metrics=["AUC"], verbose=0, model_root="unused", gpu=-1
        )
        self.embedding_layer = FeatureEmbedding(feature_map, 10)
        self.fm = FactorizationMachine(feature_map)
        self.mlp = MLP_Block(
            input_dim=feature_map.sum_emb_out_dim(),
            output_dim=1,
            hidden_units=[400, 400, 400],
            dropout_rates=0.2,
            batch_norm=True,
        )
        self.compile("adam", "binary_crossentropy", 1e-3)
        self.reset_parameters()
        self._max_gradient_norm = 10.0

    def forward(self, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Probabilities of a batch."""
        fields = self.get_inputs(inputs)
        embedded = self.embedding_layer(fields)
        logit = self.fm(fields, embedded) + self.mlp(embedded.flatten(start_dim=1))
        return {"y_pred": self.output_activation(logit)}


def main() -> None:
    arrays = np.load(sys.argv[1])
    torch.set_num_threads(int(arrays["n_threads"]))
    torch.manual_seed(0)
    ids, labels, batch_size = torch.from_numpy(arrays["ids"]), torch.from_numpy(arrays["labels"]), int(arrays["batch"])
    names = [f"field_{number}" for number in range(ids.shape[1])]
    feature_map = FeatureMap("rows", "unused")
    feature_map.features = OrderedDict(
        (name, {"type": "categorical", "source": "", "vocab_size": int(size)})
        for name, size in zip(names, arrays["cardinalities"], strict=True)
    )
    feature_map.labels, feature_map.num_fields, feature_map.default_emb_dim = ["label"], len(names), 10
    feature_map.total_features = int(arrays["cardinalities"].sum())
    feature_map.set_column_index()
    model = DeepFM(feature_map)

    def batches(order: torch.Tensor, size: int) -> list[dict[str, torch.Tensor]]:
        return [
            {**dict(zip(names, ids[rows].T, strict=True)), "label": labels[rows]} for rows in torch.split(order, size)
        ]

    for line in sys.stdin:
        started = time.perf_counter()
        if line.strip() == "train":
            model.train()
            for batch in batches(torch.randperm(len(ids)), batch_size):
                model.train_step(batch)
        else:
            model.eval()
            with torch.no_grad():
                for batch in batches(torch.arange(len(ids)), batch_size):
                    model.forward(batch)
        print(time.perf_counter() - started, flush=True)


if __name__ == "__main__":
    main()
