import numpy as np
import pytest

from moco.supernet.forward import Path
from moco.supernet.sampling import sample_paths
from spaces.architecture import ArchitectureBatch
from spaces.nasrec import nasrec_space

SPACE = nasrec_space(n_dense=2, n_sparse=4, n_blocks=5, dense_dims=(8, 16), sparse_dims=(2, 4), weight_bits=(4, 8))


def paths_of(strategy: str, full_probability: float = 0.0, n: int = 60, seed: int = 0) -> list[Path]:
    return sample_paths(SPACE, strategy, np.full(n, full_probability), np.random.default_rng(seed))


def test_the_default_takes_canonical_networks_as_they_are() -> None:
    paths = paths_of("single-operator any-connection")
    networks = ArchitectureBatch.of([path.architecture for path in paths])
    genomes = SPACE.genomes(networks)
    np.testing.assert_array_equal(SPACE.canonical(genomes), genomes)
    assert all(path == Path.of(path.architecture) for path in paths)


def test_single_path_keeps_one_connection() -> None:
    blocks = [block for path in paths_of("single-path") for block in path.architecture.blocks]
    assert {len(block.dense_inputs) for block in blocks} == {len(block.sparse_inputs) for block in blocks} == {1}


def test_any_path_runs_every_set_of_operators() -> None:
    paths = paths_of("any-path", n=200)
    assert len({operators for path in paths for operators in path.dense_operators}) == 2**4 - 1
    assert len({operators for path in paths for operators in path.sparse_operators}) == 2**2 - 1


@pytest.mark.parametrize(("strategy", "probability"), [("full-path", 0.0), ("single-operator any-connection", 1.0)])
def test_full_blocks_run_everything(strategy: str, probability: float) -> None:
    for path in paths_of(strategy, probability, n=10):
        assert set(path.dense_operators) == {SPACE.dense_operators}
        assert set(path.sparse_operators) == {SPACE.sparse_operators}
        for node, block in enumerate(path.architecture.blocks):
            assert len(block.dense_inputs) == len(block.sparse_inputs) == min(4, node + 1)
            assert block.has_fm
            assert block.has_dense_to_sparse


def test_the_share_of_full_blocks_follows_its_probability() -> None:
    paths = sample_paths(SPACE, "single-operator any-connection", np.linspace(1, 0, 400), np.random.default_rng(0))
    is_full = np.array([[len(operators) == 4 for operators in path.dense_operators] for path in paths])
    assert is_full[:100].mean() == pytest.approx(0.875, abs=0.06)
    assert is_full[300:].mean() == pytest.approx(0.125, abs=0.06)


def test_a_seed_repeats_its_paths() -> None:
    assert paths_of("any-path", 0.3, seed=4) == paths_of("any-path", 0.3, seed=4)
    assert paths_of("any-path", 0.3, seed=4) != paths_of("any-path", 0.3, seed=5)
