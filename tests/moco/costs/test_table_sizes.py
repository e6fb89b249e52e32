import pytest

from moco.costs.lowering import lower
from moco.costs.table_sizes import table_sizes, table_sizes_text
from moco.data import CtrDataset, load_dataset
from pimmodel import COMPONENTS, PimConfig, estimate, find_calibration
from spaces import PUBLISHED_NETWORKS, ArchitectureBatch


@pytest.fixture(scope="module")
def data() -> CtrDataset:
    loaded = load_dataset("synthetic", n_rows=3000, n_fields=4, n_dense=2, max_cardinality=300)
    assert isinstance(loaded, CtrDataset)
    return loaded


def test_sizes_by_hand(data: CtrDataset) -> None:
    every, *fields = table_sizes(data, embedding_dim=8)
    rows = sum(data.cardinalities)
    assert (every.name, every.rows) == ("all fields", rows)
    assert every.memory_bytes == rows * 8 * 4
    assert every.training_bytes == rows * 8 * 4 + rows * 4
    assert every.stored_bytes == {4: rows * 4, 8: rows * 8}
    assert [size.rows for size in fields] == sorted(data.cardinalities, reverse=True)
    assert {size.name for size in fields} == set(data.categorical)


def test_reram_is_what_the_hardware_model_charges_a_network(data: CtrDataset) -> None:
    network = ArchitectureBatch.of([PUBLISHED_NETWORKS["criteo-full"]])
    place = COMPONENTS.index("embedding_memory")
    for bits, mm2 in table_sizes(data)[0].reram_mm2.items():
        chip = PimConfig(table_memory="reram", table_bits=bits)
        result = estimate(lower(network, 2, data.cardinalities), chip, find_calibration("isaac32"))
        assert mm2 == pytest.approx(result.area_by_component_mm2[0, place])


def test_text(data: CtrDataset) -> None:
    text = table_sizes_text(data, n_fields=2)
    assert "and 2 smaller ones" in text
    assert "of the largest die of 858 mm2 in ReRAM (isaac32), or 1 lpddr4 of" in text
    with pytest.raises(ValueError, match="embedding_dim must be at least 1, got 0"):
        table_sizes(data, 0)
