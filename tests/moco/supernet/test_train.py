import math
import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

import moco.supernet.embedding
import moco.supernet.loop
import moco.supernet.optimiser
from moco.data import CtrDataset, load_dataset
from moco.settings import STRATEGIES, TrainSettings
from moco.supernet.checkpoint import CheckpointError, TrainedSupernet, held_out_rows, load_supernet
from moco.supernet.loop import TrainProgress, device_named, dropped, logloss_of
from moco.supernet.metrics import Score, mean_logloss, score_of
from moco.supernet.network import Supernet
from moco.supernet.optimiser import Optimiser, RowwiseAdagrad
from moco.supernet.rows import TensorRows
from moco.supernet.train import train_supernet
from spaces import HARDWARE_SPACE, codesign_of
from spaces.nasrec import NasrecSpace, nasrec_space

SETTINGS = TrainSettings(epochs=3, batch_size=64, learning_rate=3e-3, embedding_l2=1e-3, embedding_dropout=0.1)


@cache
def small_data(seed: int = 0) -> CtrDataset:
    return load_dataset("synthetic", n_rows=3000, n_fields=4, n_dense=2, max_cardinality=12, seed=seed)


def space_for(data: CtrDataset, n_blocks: int = 3) -> NasrecSpace:
    return nasrec_space(
        n_dense=len(data.dense),
        n_sparse=len(data.categorical),
        n_blocks=n_blocks,
        dense_dims=(8, 16),
        sparse_dims=(2, 4),
        weight_bits=(4, 8),
        embedding_dim=8,
    )


@cache
def trained_once() -> TrainedSupernet:
    return train_supernet(small_data(), space_for(small_data()), settings=SETTINGS, seed=1)


class Stopped(Exception):
    pass


def stop_after(n_rows: int, state: TrainProgress) -> None:
    if state.n_rows >= n_rows:
        raise Stopped


def test_the_supernet_learns() -> None:
    """Random networks with shared weights, on valid rows, beside the same networks in an untrained supernet."""
    data = small_data()
    space = space_for(data, n_blocks=2)
    settings = replace(SETTINGS, epochs=12, learning_rate=5e-3, embedding_l2=1e-4)
    networks = space.networks(space.canonical(space.sample(np.random.default_rng(7), 12)))
    rows = TensorRows.of(data.valid, torch.device("cpu"))

    def mean_auc(supernet: Supernet) -> float:
        scores = [score_of(lambda ids, dense, a=a: supernet(ids, dense, a), rows).auc for a in networks]
        return float(np.mean(scores))

    assert mean_auc(Supernet(space, data.cardinalities, seed=1)) < 0.6
    trained = train_supernet(data, space, settings=settings, seed=1)
    assert mean_auc(trained.supernet) > 0.63  # .67 to .69, as processors round
    assert trained.history[-1].train_logloss < trained.history[0].train_logloss


def test_a_training_that_was_stopped_ends_as_an_unbroken_one(tmp_path: Path) -> None:
    data, file = small_data(), tmp_path / "supernet.safetensors"
    space = space_for(data)
    for n_rows in (1, 6_000, 9_000):  # in the first epoch, in the third, in the fifth of five
        with pytest.raises(Stopped):
            train_supernet(
                data, space, settings=SETTINGS, seed=1, checkpoint=file, progress=lambda s, n=n_rows: stop_after(n, s)
            )
    with pytest.raises(CheckpointError, match=r"holds a supernet in training, \d rounds done"):
        load_supernet(file, data, space)
    resumed = train_supernet(data, space, settings=SETTINGS, seed=1, checkpoint=file)
    assert resumed.digest == trained_once().digest
    assert resumed.history == trained_once().history
    assert load_supernet(file, data, codesign_of(space)).digest == resumed.digest
    assert file.stat().st_size < 1.2 * sum(4 * p.numel() for p in resumed.supernet.parameters()) + 60_000
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    changed = file.stat().st_mtime_ns
    assert train_supernet(data, space, settings=SETTINGS, seed=1, checkpoint=file).digest == resumed.digest
    assert file.stat().st_mtime_ns == changed


def test_training_on_chips_is_stopped_and_repeated_like_any(tmp_path: Path) -> None:
    data, file = small_data(), tmp_path / "supernet.safetensors"
    space = codesign_of(space_for(data))
    settings = replace(SETTINGS, epochs=2, hardware_share=0.5, average_share=0.1)
    with pytest.raises(Stopped):
        train_supernet(data, space, settings=settings, checkpoint=file, progress=lambda s: stop_after(6_000, s))
    resumed = train_supernet(data, space, settings=settings, checkpoint=file)
    assert resumed.digest == train_supernet(data, space, settings=settings).digest
    plain = train_supernet(data, space, settings=replace(settings, hardware_share=0))
    networks_alone = train_supernet(data, space.network, settings=replace(settings, hardware_share=0))
    assert plain.digest == networks_alone.digest != resumed.digest
    other = codesign_of(space.network, HARDWARE_SPACE.with_choices({"adc_bits": (8,)}))
    with pytest.raises(CheckpointError, match=r"trained with hardware [0-9a-f]+, got hardware [0-9a-f]+: give another"):
        train_supernet(data, other, settings=settings, checkpoint=file)


def test_a_killed_training_ends_as_an_unbroken_one(tmp_path: Path) -> None:
    file = tmp_path / "supernet.safetensors"
    script = f"""
        import sys
        import torch
        torch.set_num_threads(1)
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        import test_train as this
        this.train_supernet(this.small_data(), this.space_for(this.small_data()), settings=this.SETTINGS, seed=1,
                            checkpoint={str(file)!r})
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], cwd=Path(__file__).parents[3])
    deadline = time.monotonic() + 120
    while not file.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    data = small_data()
    resumed = train_supernet(data, space_for(data), settings=SETTINGS, seed=1, checkpoint=file)
    assert resumed.digest == trained_once().digest


def test_seeds_repeat_and_differ() -> None:
    data = small_data()
    short = replace(SETTINGS, epochs=1, embedding_epochs=0)
    digests = [train_supernet(data, space_for(data), settings=short, seed=seed).digest for seed in (1, 1, 2)]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_trains(strategy: str) -> None:
    data = small_data()
    settings = replace(SETTINGS, epochs=1, strategy=strategy)
    history = train_supernet(data, space_for(data, n_blocks=2), settings=settings).history
    assert len(history) == 1
    assert math.isfinite(history[0].train_logloss)


def test_held_out_rows_are_never_trained_on() -> None:
    held_out = held_out_rows(1000, SETTINGS, seed=3)
    assert len(held_out) == len(np.unique(held_out)) == 100
    np.testing.assert_array_equal(held_out, held_out_rows(1000, SETTINGS, seed=3))
    # Labels of held-out rows can say anything: training does not see them.
    data = small_data()
    labels = data.train.labels.copy()
    chosen = held_out_rows(len(labels), SETTINGS, seed=1)
    labels[chosen] = 1 - labels[chosen]
    other = replace(data, train=replace(data.train, labels=labels))
    short = replace(SETTINGS, epochs=1, embedding_epochs=0)
    first, second = (train_supernet(d, space_for(data), settings=short, seed=1) for d in (data, other))
    assert all(second.supernet.state_dict()[name].equal(value) for name, value in first.supernet.state_dict().items())


def test_the_best_epoch_is_the_valid_minimum() -> None:
    history = trained_once().history
    best = 1 + int(np.argmin([one.valid_logloss for one in history]))
    assert [one.n_epochs for one in history] == [1, 2, 3]
    assert trained_once().best.n_epochs == best
    assert f"epoch {best} of 3" in trained_once().summary()


def test_progress_counts_rows() -> None:
    seen: list[TrainProgress] = []
    data = small_data()
    train_supernet(data, space_for(data, 1), settings=replace(SETTINGS, epochs=1), progress=seen.append)
    counts = [state.n_rows for state in seen]
    assert counts == sorted(counts)
    assert counts[0] == 0
    assert counts[-1] == seen[-1].n_rows_total == 3 * (2160 // 64) * 64
    assert "valid log loss" in seen[-1].note


def test_a_diverging_loss_says_what_to_change() -> None:
    table = torch.nn.Parameter(torch.ones(2, 2))
    optimiser = Optimiser(table, [torch.nn.Parameter(torch.ones(1))], SETTINGS, n_steps=10)
    with pytest.raises(FloatingPointError, match=r"the loss of step 3 is nan; take a lower learning_rate than 0.003"):
        optimiser.step(table.sum() * math.nan, 3)


def test_the_learning_rate_falls_along_a_cosine() -> None:
    optimiser = Optimiser(torch.nn.Parameter(torch.ones(2, 2)), [torch.nn.Parameter(torch.ones(1))], SETTINGS, 10)
    rates = [optimiser.rate_share(step) for step in (-5, 0, 5, 9)]
    assert rates == pytest.approx([1, 1, 0.5, 0.5 * (1 + math.cos(0.9 * math.pi))])
    warm = Optimiser(
        torch.nn.Parameter(torch.ones(2, 2)),
        [torch.nn.Parameter(torch.ones(1))],
        replace(SETTINGS, warm_up_share=0.2),
        10,
    )
    assert [warm.rate_share(step) for step in (0, 1, 2, 6)] == pytest.approx([0.5, 1, 1, 0.5])


def test_a_large_table_learns_by_the_rows_of_its_batches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(moco.supernet.embedding, "SPARSE_TABLE_ROWS", 10)
    monkeypatch.setattr(moco.supernet.optimiser, "SPARSE_TABLE_ROWS", 10)
    data, file = small_data(), tmp_path / "supernet.safetensors"
    settings = replace(SETTINGS, epochs=2)
    space = space_for(data, 2)
    with pytest.raises(Stopped):
        train_supernet(data, space, settings=settings, checkpoint=file, progress=lambda s: stop_after(5_000, s))
    resumed = train_supernet(data, space, settings=settings, checkpoint=file)
    unbroken = train_supernet(data, space, settings=settings)
    assert resumed.digest == unbroken.digest
    before = Supernet(space, data.cardinalities, seed=0).embedding.table
    seen = np.unique(data.train.ids + np.cumsum([0, *data.cardinalities[:-1]]))
    changed = (unbroken.supernet.embedding.table != before).any(dim=1).numpy()
    assert set(np.flatnonzero(changed)) <= set(seen)
    assert changed.sum() > 0.8 * len(seen)


def test_a_sparse_penalty_is_that_of_the_rows_of_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moco.supernet.optimiser, "SPARSE_TABLE_ROWS", 2)
    table = torch.nn.Parameter(torch.ones(4, 2))
    optimiser = Optimiser(table, [torch.nn.Parameter(torch.ones(1))], replace(SETTINGS, embedding_l2=0.5), n_steps=10)
    optimiser.step(torch.nn.functional.embedding(torch.tensor([1, 1]), table, sparse=True).sum(), 0)
    # Row 1 has the gradient 2 of its two places and 0.5 of the penalty; Adagrad's first step is the learning rate.
    assert table[1].tolist() == pytest.approx([1 - SETTINGS.table_learning_rate] * 2)
    assert table[[0, 2, 3]].equal(torch.ones(3, 2))


def test_rowwise_adagrad_by_hand() -> None:
    table = torch.nn.Parameter(torch.zeros(3, 2))
    optimiser = RowwiseAdagrad(table, lr=0.5, eps=0.0)
    for ids, scale in (([0, 2, 2], 1.0), ([2], 3.0)):
        optimiser.zero_grad(set_to_none=True)
        rows = torch.nn.functional.embedding(torch.tensor(ids), table, sparse=True)
        (scale * rows * torch.tensor([1.0, 2.0])).sum().backward()
        optimiser.step()
    # Row 0: gradient (1, 2), mean square 2.5. Row 2: (2, 4), 10; then (3, 6), 10 + 22.5.
    first = [-0.5 * 1 / 2.5**0.5, -0.5 * 2 / 2.5**0.5]
    last = [-0.5 * (2 * k / 10**0.5 + 3 * k / 32.5**0.5) for k in (1, 2)]
    assert table.flatten().tolist() == pytest.approx([*first, 0, 0, *last])
    assert optimiser.state[table]["sum"].tolist() == pytest.approx([2.5, 0, 32.5])


def test_weights_without_a_gradient_stay() -> None:
    table, used, unused = (torch.nn.Parameter(torch.ones(3)) for _ in range(3))
    optimiser = Optimiser(table, [used, unused], SETTINGS, n_steps=10)
    optimiser.step((used + unused).sum() + table.sum(), 0)
    before = unused.detach().clone()
    for step in range(1, 4):
        optimiser.step(used.sum() + table.sum(), step)
    assert unused.equal(before)
    assert not used.equal(before)


def test_dropout_keeps_the_mean() -> None:
    rows = dropped(torch.ones(400, 5, 10), 0.2, torch.Generator().manual_seed(0))
    assert sorted(rows.unique().tolist()) == [0.0, 1.25]
    assert float(rows.mean()) == pytest.approx(1, abs=0.02)


def test_score_by_hand() -> None:
    # Logits 0 and log 3: probabilities 1/2 and 3/4. Of the two pairs of unlike labels one is a tie.
    labels, logits = np.array([0, 1, 1], np.float32), np.array([0, np.log(3), 0], np.float32)
    score = Score.of(labels, logits)
    assert score.logloss == pytest.approx((2 * np.log(2) + np.log(4 / 3)) / 3)
    assert score.auc == pytest.approx(0.75)
    loss = logloss_of(torch.from_numpy(logits), torch.from_numpy(labels))
    assert score.logloss == pytest.approx(float(loss))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "epochs must be positive, got 0"),
        ({"batch_size": -1}, "batch_size must be positive, got -1"),
        ({"learning_rate": math.nan}, "learning_rate must be positive, got nan"),
        ({"clip_norm": 0}, "clip_norm must be positive, got 0"),
        ({"embedding_l2": -1}, "embedding_l2 must be at least 0"),
        ({"embedding_dropout": 1.0}, "embedding_dropout must be at least 0 and below 1, got 1.0"),
        ({"held_out_share": 0.0}, "held_out_share must be above 0"),
        ({"full_path_share": 1.5}, "full_path_share must be at least 0"),
        ({"warm_up_share": 1.0}, "warm_up_share must be at least 0 and below 1, got 1.0"),
        ({"optimiser": "sgd"}, "unknown optimiser 'sgd'; optimisers are 'adam', 'adagrad'"),
        ({"precision": "int8"}, "unknown precision 'int8'; precisions are 'float32', 'bfloat16'"),
        ({"strategy": "one-shot"}, "unknown strategy 'one-shot'; strategies are 'single-operator any-connection', "),
    ],
)
def test_settings_are_checked(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainSettings(**change)  # type: ignore[arg-type]


def test_a_space_for_other_fields_is_refused() -> None:
    space = nasrec_space(n_dense=0, n_sparse=9, n_blocks=1)
    with pytest.raises(ValueError, match=r"is for data of 0 dense and 9 categorical fields, data .* has 2 and 4"):
        train_supernet(small_data(), space, settings=SETTINGS)


def test_devices() -> None:
    assert device_named("cpu") == torch.device("cpu")
    assert device_named("auto").type in ("cpu", "cuda", "mps", "xpu")
    with pytest.raises(ValueError, match="device 'abacus' cannot be used here"):
        device_named("abacus")


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    data = small_data()
    file = tmp_path / "supernet.safetensors"
    train_supernet(data, space_for(data, 1), settings=replace(SETTINGS, epochs=1), checkpoint=file)
    return file


def test_wrong_checkpoints_say_what_is_wrong(finished: Path, tmp_path: Path) -> None:
    data, other = small_data(), small_data(seed=1)
    space = space_for(data, 1)
    with pytest.raises(CheckpointError, match=r"there is no supernet at .*nothing.safetensors: train one first"):
        load_supernet(tmp_path / "nothing.safetensors", data, space)
    with pytest.raises(CheckpointError, match=f"holds a supernet of data {data.digest}, this data is {other.digest}"):
        load_supernet(finished, other, space_for(other, 1))
    larger = space_for(data, 2)
    with pytest.raises(CheckpointError, match=f"supernet of space {space.digest}, this space is {larger.digest}"):
        load_supernet(finished, data, larger)
    with pytest.raises(CheckpointError, match="trained with seed 0, got seed 5"):
        train_supernet(data, space, settings=replace(SETTINGS, epochs=1), seed=5, checkpoint=finished)
    with pytest.raises(CheckpointError, match=r"trained with settings .* give another file, or the same settings"):
        train_supernet(data, space, settings=replace(SETTINGS, epochs=2), checkpoint=finished)


@pytest.mark.parametrize("kept", [0, 4, 100, 0.5, 0.99])
def test_a_checkpoint_that_was_cut_short_is_refused(finished: Path, kept: float) -> None:
    content = finished.read_bytes()
    finished.write_bytes(content[: int(kept * len(content)) if 0 < kept < 1 else int(kept)])
    data = small_data()
    with pytest.raises(CheckpointError, match="damaged or cut short"):
        load_supernet(finished, data, space_for(data, 1))
    with pytest.raises(CheckpointError, match="damaged or cut short"):
        train_supernet(data, space_for(data, 1), settings=replace(SETTINGS, epochs=1), checkpoint=finished)


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    data, file = small_data(), tmp_path / "other.safetensors"
    save_file({"x": torch.zeros(3)}, file)
    with pytest.raises(CheckpointError, match="is a safetensors file of something else"):
        load_supernet(file, data, space_for(data, 1))
    save_file({"x": torch.zeros(3)}, file, metadata={"moco": '{"format": "moco supernet 99"}'})
    with pytest.raises(CheckpointError, match="has format 'moco supernet 99', this version reads 'moco supernet 3'"):
        load_supernet(file, data, space_for(data, 1))
    file.write_text("label,user\n1,2\n" * 100)
    with pytest.raises(CheckpointError, match="is not a supernet"):
        load_supernet(file, data, space_for(data, 1))


@pytest.mark.parametrize("mean", [0.0, 0.1, 0.5, 1.0])
def test_predicting_the_mean_label_loses_its_entropy(mean: float) -> None:
    labels = np.repeat(np.float32([1, 0]), [round(1000 * mean), round(1000 * (1 - mean))])
    predicted = min(max(mean, 1e-9), 1 - 1e-9)
    losses = -(labels * np.log(predicted) + (1 - labels) * np.log1p(-predicted))
    assert mean_logloss(mean) == pytest.approx(float(losses.mean()), abs=1e-6)
