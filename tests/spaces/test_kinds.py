"""Spaces of every kind come back from JSON as what they were."""

from __future__ import annotations

import numpy as np
import pytest

from spaces import ChoiceBlock, CodesignSpace, NasrecSpace, Space, codesign_of, nasrec_space, read_space

PLAIN = Space("plain", (ChoiceBlock("a", ((0,), (0, 1))), ChoiceBlock("b", (1, 2), only_if=("a", (0,)))))
NETWORKS = nasrec_space(n_dense=2, n_sparse=3, n_blocks=2)


@pytest.mark.parametrize(
    ("space", "kind"), [(PLAIN, Space), (NETWORKS, NasrecSpace), (codesign_of(NETWORKS), CodesignSpace)]
)
def test_a_space_comes_back_as_its_kind(space: Space, kind: type[Space]) -> None:
    again = read_space(space.to_json())
    assert type(again) is kind
    assert again == space
    assert again.digest == space.digest
    genomes = space.sample(np.random.default_rng(0), 50)
    assert again.keys(genomes) == space.keys(genomes)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"network": 3, "hardware": 4}', '{"kind": "nasrec-full"}', "null"])
def test_what_is_no_space_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="this is not a"):
        read_space(text)
