from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spaces import ChoiceBlock, Space

# A chain: rank matters only with "cross", scale only with "cross" and rank 16.
SPACE = Space(
    name="toy",
    blocks=(
        ChoiceBlock("embedding_dim", (16, 32, 64), is_ordered=True),
        ChoiceBlock("interaction", ("dot", "fm", "cross")),
        ChoiceBlock("is_deep", (False, True)),
        ChoiceBlock("rank", (8, 16), is_ordered=True, only_if=("interaction", "cross")),
        ChoiceBlock("scale", (0.5, 1.5, 2.0), only_if=("rank", 16)),
        ChoiceBlock("inputs", ((0,), (1,), (0, 1)), only_if=("is_deep", True)),
    ),
)

PLAIN_CHOICES = st.one_of(
    st.text(max_size=5),
    st.integers(-(2**40), 2**40),
    st.booleans(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.lists(st.integers(0, 40), max_size=4).map(tuple),
)


@st.composite
def spaces(draw: st.DrawFn) -> Space:
    blocks: list[ChoiceBlock] = []
    for number in range(draw(st.integers(1, 6))):
        choices = draw(st.lists(PLAIN_CHOICES, min_size=1, max_size=5, unique_by=lambda c: (isinstance(c, bool), c)))
        only_if = None
        if blocks and draw(st.booleans()):
            parent = draw(st.sampled_from(blocks))
            only_if = (parent.name, draw(st.sampled_from(parent.choices)))
        blocks.append(ChoiceBlock(f"block {number}", tuple(choices), draw(st.booleans()), only_if))
    return Space(name=draw(st.text(max_size=8)), blocks=tuple(blocks))


def test_cardinality_is_the_exact_product() -> None:
    assert SPACE.cardinality == 3 * 3 * 2 * 2 * 3 * 3
    wide = Space(name="wide", blocks=tuple(ChoiceBlock(f"b{n}", tuple(range(10))) for n in range(60)))
    assert wide.cardinality == 10**60
    np.testing.assert_array_equal(SPACE.n_choices, [3, 3, 2, 2, 3, 3])


def test_decode_gives_choices_by_name() -> None:
    assert SPACE.decode([[2, 0, 1, 1, 0, 2]]) == [
        {
            "embedding_dim": 64,
            "interaction": "dot",
            "is_deep": True,
            "rank": 16,
            "scale": 0.5,
            "inputs": (0, 1),
        }
    ]
    assert SPACE.column("rank") == 3


@settings(max_examples=60)
@given(spaces(), st.integers(0, 2**32 - 1))
def test_samples_are_legal_and_encode_takes_decode_back(space: Space, seed: int) -> None:
    genomes = space.sample(np.random.default_rng(seed), 20)
    assert genomes.shape == (20, len(space.blocks))
    assert genomes.dtype == np.int64
    np.testing.assert_array_equal(space.check(genomes), genomes)
    np.testing.assert_array_equal(space.encode(space.decode(genomes)), genomes)


@settings(max_examples=60)
@given(spaces())
def test_json_round_trip(space: Space) -> None:
    again = Space.from_json(space.to_json())
    assert again == space
    assert again.digest == space.digest
    for block, other in zip(space.blocks, again.blocks, strict=True):
        assert [type(choice) for choice in block.choices] == [type(choice) for choice in other.choices]
    assert Space.from_dict(space.to_dict()) == space


def test_samples_reach_every_choice() -> None:
    genomes = SPACE.sample(np.random.default_rng(0), 400)
    for column, n_choices in enumerate(SPACE.n_choices):
        assert set(genomes[:, column]) == set(range(n_choices))
    np.testing.assert_array_equal(genomes, SPACE.sample(np.random.default_rng(0), 400))


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.update(name="other"),
        lambda data: data["blocks"][0].update(name="width"),
        lambda data: data["blocks"][0].update(is_ordered=False),
        lambda data: data["blocks"][0].update(choices=[16, 32, 128]),
        lambda data: data["blocks"][0].update(choices=[32, 16, 64]),
        lambda data: data["blocks"][2].update(choices=[0, 1]) or data["blocks"][5].update(only_if=["is_deep", 1]),
        lambda data: data["blocks"][3].pop("only_if"),
        lambda data: data["blocks"][3].update(only_if=["interaction", "fm"]),
        lambda data: data["blocks"].append({"name": "more", "choices": [1], "is_ordered": False}),
        lambda data: data["blocks"].pop(),
        lambda data: data["blocks"].insert(0, data["blocks"].pop(1)),
    ],
)
def test_digest_changes_with_any_change(change: Callable[[dict[str, Any]], object]) -> None:
    data = json.loads(SPACE.to_json())
    change(data)
    changed = Space.from_dict(data)
    assert changed.digest != SPACE.digest
    assert len(changed.digest) == 16


@pytest.mark.parametrize(
    ("genome", "canonical"),
    [
        pytest.param([1, 2, 1, 1, 2, 2], [1, 2, 1, 1, 2, 2], id="everything-matters"),
        pytest.param([1, 0, 1, 1, 2, 2], [1, 0, 1, 0, 0, 2], id="dot-has-no-rank-and-so-no-scale"),
        pytest.param([1, 2, 1, 0, 2, 2], [1, 2, 1, 0, 0, 2], id="rank-8-has-no-scale"),
        pytest.param([1, 2, 0, 1, 2, 2], [1, 2, 0, 1, 2, 0], id="inputs-of-the-deep-part"),
    ],
)
def test_canonical_sets_what_changes_nothing_to_the_first_choice(genome: list[int], canonical: list[int]) -> None:
    np.testing.assert_array_equal(SPACE.canonical([genome]), [canonical])
    assert SPACE.keys([genome]) == SPACE.keys([canonical])


def test_a_chain_ends_where_its_first_link_is_off_even_when_the_first_choice_is_asked_for() -> None:
    space = Space(
        name="chain",
        blocks=(
            ChoiceBlock("a", ("off", "on")),
            ChoiceBlock("b", ("x", "y"), only_if=("a", "on")),
            ChoiceBlock("c", (1, 2), only_if=("b", "x")),
        ),
    )
    np.testing.assert_array_equal(space.canonical([[0, 0, 1], [0, 1, 1], [1, 0, 1]]), [[0, 0, 0], [0, 0, 0], [1, 0, 1]])


@settings(max_examples=60)
@given(spaces(), st.integers(0, 2**32 - 1))
def test_canonical_is_idempotent_and_keys_follow_it(space: Space, seed: int) -> None:
    genomes = space.sample(np.random.default_rng(seed), 30)
    canonical = space.canonical(genomes)
    np.testing.assert_array_equal(space.canonical(canonical), canonical)
    keys = space.keys(genomes)
    assert keys == space.keys(canonical)
    assert len(set(keys)) == len(np.unique(canonical, axis=0))
    assert all(len(key) == 32 for key in keys)


def test_a_boolean_is_not_the_number_it_equals() -> None:
    block = ChoiceBlock("mixed", (False, 0, True, 1))
    assert [block.index(choice) for choice in block.choices] == [0, 1, 2, 3]


def test_with_choices_replaces_the_named_blocks_alone() -> None:
    narrow = SPACE.with_choices({"embedding_dim": [16], "scale": (0.5, 2.0)})
    assert [len(block.choices) for block in narrow.blocks] == [1, 3, 2, 2, 2, 3]
    assert narrow.blocks[4].only_if == ("rank", 16)
    assert narrow.digest != SPACE.digest
    with pytest.raises(ValueError, match="has no choice block 'width'"):
        SPACE.with_choices({"width": (1,)})
    with pytest.raises(ValueError, match="unknown choice 'cross' in choice block 'interaction'"):
        SPACE.with_choices({"interaction": ("dot",)})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ChoiceBlock("", (1,)), "a choice block needs a name"),
        (lambda: ChoiceBlock("a", ()), "choice block 'a' needs at least one choice"),
        (lambda: ChoiceBlock("a", (1, 2, 1)), "choices of block 'a' must be distinct, got 1, 2, 1"),
        (lambda: ChoiceBlock("a", ("x",)).index("y"), "unknown choice 'y' in choice block 'a'; choices are 'x'"),
        (lambda: ChoiceBlock("a", (0, 1)).index(True), "unknown choice True in choice block 'a'"),
        (
            lambda: Space(name="s", blocks=(ChoiceBlock("a", (1,)), ChoiceBlock("a", (2,)))),
            "names of choice blocks must be unique, got 'a' more than once",
        ),
        (
            lambda: Space(name="s", blocks=(ChoiceBlock("a", (1,), only_if=("b", 1)), ChoiceBlock("b", (1,)))),
            "only_if of choice block 'a' must name an earlier block, got 'b'",
        ),
        (
            lambda: Space(name="s", blocks=(ChoiceBlock("a", (1,), only_if=("a", 1)),)),
            "must name an earlier block, got 'a'",
        ),
        (
            lambda: Space(name="s", blocks=(ChoiceBlock("a", (1,)), ChoiceBlock("b", (1,), only_if=("a", 2)))),
            "unknown choice 2 in choice block 'a'; choices are 1",
        ),
        (lambda: SPACE.column("width"), "space 'toy' has no choice block 'width'; blocks are 'embedding_dim', "),
        (lambda: SPACE.check([0, 0, 0, 0, 0, 0]), r"genomes must have shape \(B, 6\).*got \(6,\)"),
        (lambda: SPACE.check([[0, 0]]), r"genomes must have shape \(B, 6\).*got \(1, 2\)"),
        (lambda: SPACE.check([[0.0] * 6]), "genomes must be integers .*got float64"),
        (
            lambda: SPACE.check([[0] * 6, [0, 3, 0, 0, 0, 0]]),
            "genome 1 has choice index 3 in block 'interaction'; .* 2",
        ),
        (lambda: SPACE.check([[-1, 0, 0, 0, 0, 0]]), "genome 0 has choice index -1 in block 'embedding_dim'"),
        (lambda: SPACE.encode([{"embedding_dim": 16, "depth": 2}]), "missing 'inputs', .*; unknown 'depth'"),
        (lambda: SPACE.encode([SPACE.decode([[0] * 6])[0] | {"rank": 9}]), "unknown choice 9 in choice block 'rank'"),
        (lambda: Space.from_json("{"), "not a search space: not JSON"),
        (lambda: Space.from_json("[]"), "not a search space: expected a JSON object, got list"),
        (lambda: Space.from_json("{}"), "not a search space: entry missing or of the wrong type .*'blocks'"),
        (
            lambda: Space.from_json('{"name": "s", "blocks": [{"name": "a", "choices": [null], "is_ordered": false}]}'),
            "not a search space: .*choices of block 'a' must be a tuple",
        ),
    ],
)
def test_errors_say_what_to_do(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("choices", [[1, 2], (1, [2]), (float("nan"),), (None,), "ab"])
def test_choices_are_plain_values(choices: Any) -> None:
    with pytest.raises(TypeError, match="choices of block 'a' must be a tuple of words, finite numbers, booleans"):
        ChoiceBlock("a", choices)
