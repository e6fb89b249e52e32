"""Two processes of torchrun train the weights that one process trains."""

import subprocess
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file

JOB = """
import sys

import numpy as np
import torch
from safetensors.torch import save_file

import moco.supernet.embedding, moco.supernet.optimiser
from moco.data import load_dataset
from moco.training.from_scratch import train_from_scratch
from moco.settings import FinalSettings, TrainSettings
from moco.supernet import train_supernet
from moco.supernet.ranks import joined
from spaces import nasrec_space

data = load_dataset("synthetic", n_rows=1500, n_fields=4, n_dense=2, max_cardinality=12)
# No attention on a few rows, weights of 16 bits and a large eps: nothing that would blow up differences of rounding.
widths = dict(dense_dims=(8, 16), sparse_dims=(2, 4), weight_bits=(16,), embedding_dim=8)
space = nasrec_space("nasrec-small", n_dense=2, n_sparse=4, n_blocks=2, **widths)
network = space.networks(space.canonical(space.sample(np.random.default_rng(0), 1)))[0]
plain = dict(batch_size=64, embedding_dropout=0.0, optimiser="adagrad", learning_rate=0.02, adagrad_eps=0.01)
tensors = {}
with joined() as ranks:
    for table, limit in (("sparse", 10), ("dense", 10**6)):
        moco.supernet.embedding.SPARSE_TABLE_ROWS = moco.supernet.optimiser.SPARSE_TABLE_ROWS = limit
        supernet = train_supernet(
            data, space, settings=TrainSettings(epochs=2, **plain), checkpoint=f"{sys.argv[1]}.{table}.supernet"
        )
        final = train_from_scratch(data, network, settings=FinalSettings(epochs=1, **plain))
        tensors |= {f"{table}.supernet.{name}": value for name, value in supernet.supernet.state_dict().items()}
        tensors |= {f"{table}.network.{name}": value for name, value in final.weights.items()}
        tensors[f"{table}.scores"] = torch.tensor([supernet.best.train_logloss, final.test.logloss])
    try:
        train_from_scratch(data, network, settings=FinalSettings(epochs=1, batch_size=63))
    except ValueError as error:
        assert "batch_size must be a multiple of the 2 processes, got 63" in str(error)
    else:
        assert ranks.n_ranks == 1
    save_file({name: value.contiguous() for name, value in tensors.items()}, f"{sys.argv[1]}.{ranks.rank}")
"""


def test_two_processes_train_what_one_does(tmp_path: Path) -> None:
    job, here = tmp_path / "job.py", Path(__file__).parents[3]
    job.write_text(JOB)
    for start, out in (
        ([], "alone"),
        (["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"], "both"),
    ):
        done = subprocess.run(
            [sys.executable, *start, str(job), str(tmp_path / out)],
            cwd=here,
            env={"PATH": "", "PYTHONPATH": str(here), "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    one = load_file(tmp_path / "alone.0")
    for rank in (0, 1):
        shared = load_file(tmp_path / f"both.{rank}")
        assert shared.keys() == one.keys()
        for name, value in one.items():
            assert torch.allclose(shared[name], value, rtol=1e-4, atol=1e-5), name
    assert (tmp_path / "both.dense.supernet").exists()
